use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};

use proptest::prelude::*;

use super::*;

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(20);

/// What a destination does with one write.
#[derive(Clone, Debug)]
enum Answer {
    Take(usize),
    Fail(io::ErrorKind),
    Panic,
}

/// A destination that follows a script and then takes everything.
struct Scripted {
    script: std::vec::IntoIter<Answer>,
    captured: Capture,
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.script.next() {
            Some(Answer::Take(most)) => self.captured.write(&bytes[..most.min(bytes.len())]),
            Some(Answer::Fail(kind)) => Err(kind.into()),
            Some(Answer::Panic) => panic!("as the script says"),
            None => self.captured.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn scripted(script: Vec<Answer>) -> (Output, Capture) {
    let captured = Capture::default();
    (Output::writer(Scripted { script: script.into_iter(), captured: captured.clone() }), captured)
}

/// A destination that blocks until it is opened, and remembers the size of each write.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<GateState>, Condvar)>);

#[derive(Default)]
struct GateState {
    open: bool,
    waiting: bool,
    writes: Vec<Vec<u8>>,
}

impl Gate {
    fn open(&self) {
        self.0.0.lock().unwrap().open = true;
        self.0.1.notify_all();
    }

    fn wait_for_writer(&self) {
        let state = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(state, |state| !state.waiting).unwrap());
    }

    fn writes(&self) -> Vec<Vec<u8>> {
        self.0.0.lock().unwrap().writes.clone()
    }
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.0.lock().unwrap();
        state.waiting = true;
        self.0.1.notify_all();
        let mut state = self.0.1.wait_while(state, |state| !state.open).unwrap();
        state.writes.push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A destination that tells its name with each write.
struct Named(&'static str, std::sync::mpsc::Sender<&'static str>);

impl Write for Named {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.1.send(self.0);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes lines to an output that gathers for as long as one may and then to `quick`, which is to be
/// the first to write nevertheless.
fn overtakes(quick: impl FnOnce(OutputBuilder) -> OutputBuilder, lines: usize) {
    let (sender, written) = std::sync::mpsc::channel();
    let longest = Output::builder().flush_interval(Duration::from_secs(10));
    let slow = longest.destination(Named("slow", sender.clone())).build().unwrap();
    let longest = Output::builder().flush_interval(Duration::from_secs(10));
    let quick = quick(longest.destination(Named("quick", sender))).build().unwrap();
    slow.write(Class::Info, b"gathered\n");
    for _ in 0..lines {
        quick.write(Class::Info, b"0123456789\n");
    }
    assert_eq!(written.recv().unwrap(), "quick");
    assert!(slow.flush(LONG));
    assert_eq!(written.recv().unwrap(), "slow");
}

#[test]
fn lines_gather_for_the_flush_interval() {
    overtakes(|builder| builder.flush_interval(Duration::from_millis(1)), 1);
}

#[test]
fn the_high_water_mark_ends_the_gathering() {
    overtakes(|builder| builder.high_water_bytes(1), 1);
    overtakes(|builder| builder.high_water_bytes(30), 3);
}

#[test]
fn lines_arrive_in_order_and_are_all_counted() {
    let (output, captured) = Output::captured();
    for number in 0..1_000 {
        output.write(Class::Info, format!("{number}").as_bytes());
    }
    assert!(output.shutdown(LONG));
    let expected: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
    assert_eq!(captured.lines(), expected);
    let ledger = output.ledger();
    assert_eq!((ledger.created, ledger.written, ledger.queued), (1_000, 1_000, 0));
    assert_eq!(ledger.queued_bytes, 0);
    assert!(ledger.is_conserved());
}

#[test]
fn short_writes_and_interruptions_lose_nothing() {
    let mut script = vec![Answer::Fail(io::ErrorKind::Interrupted), Answer::Take(1)];
    script.extend((0..10).map(Answer::Take).filter(|answer| !matches!(answer, Answer::Take(0))));
    script.push(Answer::Fail(io::ErrorKind::Interrupted));
    script.push(Answer::Fail(io::ErrorKind::WouldBlock));
    let (output, captured) = scripted(script);
    output
        .write(Class::Info, b"{\"message\":\"a line of some length, written in small pieces\"}\n");
    output.write(Class::Info, b"{\"message\":\"and another one\"}\n");
    assert!(output.shutdown(LONG));
    assert_eq!(captured.lines().len(), 2);
    assert!(captured.lines()[0].ends_with("in small pieces\"}"));
    let ledger = output.ledger();
    assert_eq!((ledger.written, ledger.write_errors), (2, 0));
}

#[test]
fn a_line_after_a_torn_one_is_whole() {
    let (output, captured) =
        scripted(vec![Answer::Take(3), Answer::Fail(io::ErrorKind::StorageFull)]);
    output.write(Class::Info, b"first line\n");
    assert!(output.flush(LONG));
    output.write(Class::Info, b"second line\n");
    assert!(output.shutdown(LONG));
    assert_eq!(captured.text(), "fir\nsecond line\n");
    let ledger = output.ledger();
    assert_eq!(ledger.written, 1);
    assert_eq!(ledger.dropped_of(Class::Info, DropReason::WriteError), 1);
}

#[test]
fn a_destination_that_panics_costs_only_the_lines_it_had() {
    let (output, captured) = scripted(vec![Answer::Panic]);
    output.write(Class::Error, b"first\n");
    assert!(output.flush(LONG));
    output.write(Class::Error, b"second\n");
    assert!(output.shutdown(LONG));
    assert_eq!(captured.text().trim(), "second");
    assert_eq!(output.last_error().as_deref(), Some("the destination panicked"));
    assert!(output.ledger().is_conserved());
}

#[test]
fn a_pipe_without_a_reader_is_counted_as_write_errors() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let output = Output::writer(writer);
    output.write(Class::Request, b"nobody reads this\n");
    assert!(output.shutdown(LONG));
    let ledger = output.ledger();
    assert_eq!(ledger.dropped_of(Class::Request, DropReason::WriteError), 1);
    assert!(ledger.is_conserved());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_counted_as_write_errors() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Output::writer(full);
    output.write(Class::Info, b"no room for this\n");
    assert!(output.shutdown(LONG));
    assert_eq!(output.ledger().dropped_for(DropReason::WriteError), 1);
    assert!(output.last_error().is_some_and(|error| error.contains("No space left")));
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_that_nobody_reads_neither_blocks_the_service_nor_its_shutdown() {
    let (mut reader, mut writer) = io::pipe().unwrap();
    let filling = vec![b'.'; rustix::pipe::fcntl_getpipe_size(&writer).unwrap()];
    writer.write_all(&filling).unwrap();
    let output = Output::builder().destination(writer).capacity_bytes(16 * 1024).build().unwrap();
    let line = [b'x'; 1_023];
    for _ in 0..100 {
        output.write(Class::Info, &line);
    }
    output.write(Class::Error, b"an error still has room\n");
    assert!(!output.flush(SHORT));
    assert!(!output.shutdown(SHORT));
    let ledger = output.ledger();
    assert!(ledger.dropped_of(Class::Info, DropReason::QueueFull) > 0);
    assert_eq!(ledger.dropped_of(Class::Error, DropReason::QueueFull), 0);
    assert!(ledger.dropped_for(DropReason::ShutdownDeadline) > 0);
    assert_eq!(ledger.queued, 0);
    assert!(ledger.is_conserved());

    // The thread that was left behind changes nothing any more when it comes back.
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut reader, &mut bytes).unwrap();
    assert!(bytes.len() > filling.len());
    output.write(Class::Error, b"too late\n");
    let after = output.ledger();
    assert_eq!((after.written, after.dropped()), (ledger.written, ledger.dropped() + 1));
    assert_eq!(after.dropped_for(DropReason::Closed), 1);
    assert!(after.is_conserved());
    assert!(!output.shutdown(SHORT), "a second shutdown gives the first one's answer");
}

#[test]
fn a_destination_that_would_always_block_does_not_block_the_shutdown() {
    struct Never;
    impl Write for Never {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::WouldBlock.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let output = Output::writer(Never);
    output.write(Class::Info, b"stuck\n");
    assert!(!output.shutdown(SHORT));
    assert_eq!(output.ledger().dropped_for(DropReason::ShutdownDeadline), 1);
}

#[test]
fn a_full_queue_refuses_debug_lines_first_and_errors_last() {
    let gate = Gate::default();
    let output =
        Output::builder().destination(gate.clone()).capacity_bytes(16 * 1024).build().unwrap();
    output.write(Class::Info, b"occupies the writer\n");
    gate.wait_for_writer();
    let refused_after = |class: Class| {
        let before = output.ledger();
        while output.ledger().dropped_of(class, DropReason::QueueFull)
            == before.dropped_of(class, DropReason::QueueFull)
        {
            output.write(class, &[b'x'; 255]);
        }
        output.ledger().queued_bytes
    };
    let fills: Vec<usize> = Class::ALL.into_iter().map(refused_after).collect();
    assert!(fills[0] < fills[1] && fills[1] < fills[2] && fills[2] < fills[3], "{fills:?}");
    assert_eq!(fills[3], fills[4], "metrics and request lines are worth the same");
    assert!(fills[4] < fills[5] && fills[5] <= 16 * 1024, "{fills:?}");
    output.write(Class::Error, &[b'x'; 20_000]);
    assert_eq!(output.ledger().dropped_of(Class::Error, DropReason::TooLong), 1);
    gate.open();
    assert!(output.shutdown(LONG));
    assert!(output.ledger().is_conserved());
}

#[test]
fn what_has_gathered_goes_out_in_few_writes_of_whole_lines() {
    let gate = Gate::default();
    let output = Output::writer(gate.clone());
    output.write(Class::Info, b"occupies the writer\n");
    gate.wait_for_writer();
    for _ in 0..1_000 {
        output.write(Class::Info, &[b'x'; 599]);
    }
    gate.open();
    assert!(output.shutdown(LONG));
    let writes = gate.writes();
    assert!(writes.iter().all(|write| write.len() <= 64 * 1024 && write.ends_with(b"\n")));
    assert_eq!(writes.len(), 1 + 600_000_usize.div_ceil(64 * 1024 / 600 * 600));
    assert_eq!(output.ledger().writes, writes.len() as u64);
}

#[test]
fn after_a_shutdown_lines_are_written_by_the_thread_that_brings_them() {
    let (output, captured) = Output::captured();
    output.write(Class::Info, b"before\n");
    assert!(output.shutdown(LONG));
    output.write(Class::Info, b"after");
    assert_eq!(captured.text(), "before\nafter\n");
    assert!(output.shutdown(LONG) && output.flush(SHORT));
    assert_eq!(output.ledger().written, 2);
}

#[test]
fn a_destination_that_is_stuck_does_not_hold_up_another() {
    let gate = Gate::default();
    let captured = Capture::default();
    let output =
        Output::builder().destination(gate.clone()).destination(captured.clone()).build().unwrap();
    output.write(Class::Info, b"to both\n");
    gate.wait_for_writer();
    assert!(!output.shutdown(SHORT));
    assert_eq!(captured.text(), "to both\n");
    let [stuck, free] = output.ledgers()[..] else { panic!("two destinations have two ledgers") };
    assert_eq!((stuck.written, stuck.dropped()), (0, 1));
    assert_eq!((free.written, free.dropped()), (1, 0));
    gate.open();
}

#[test]
fn many_threads_lose_no_line_and_no_count() {
    const THREADS: u64 = 64;
    const LINES: u64 = 200;
    let (output, captured) = Output::captured();
    let sampled = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (output, sampled) = (output.clone(), &sampled);
            scope.spawn(move || {
                for line in 0..LINES {
                    output.write(
                        Class::ALL[line as usize % 6],
                        format!("{thread} {line}").as_bytes(),
                    );
                    if line % 7 == 0 {
                        output.sampled_out(1);
                        sampled.fetch_add(1, Ordering::Relaxed);
                    }
                    assert!(output.ledger().is_conserved());
                }
            });
        }
    });
    assert!(output.shutdown(LONG));
    let ledger = output.ledger();
    assert_eq!(ledger.written, THREADS * LINES);
    assert_eq!(ledger.sampled_out, sampled.into_inner());
    assert!(ledger.is_conserved() && ledger.dropped() == 0);
    let mut next = [0; THREADS as usize];
    for line in captured.lines() {
        let (thread, number) = line.split_once(' ').unwrap();
        let thread: usize = thread.parse().unwrap();
        assert_eq!(number.parse::<u64>().unwrap(), next[thread], "order within a thread");
        next[thread] += 1;
    }
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    for (builder, field) in [
        (Output::builder().capacity_bytes(10), "capacity_bytes"),
        (Output::builder().high_water_bytes(0), "high_water_bytes"),
        (Output::builder().high_water_bytes(usize::MAX), "high_water_bytes"),
        (Output::builder().flush_interval(Duration::ZERO), "flush_interval"),
    ] {
        assert_eq!(builder.build().unwrap_err().field(), field);
    }
}

fn any_answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        4 => (1_usize..40).prop_map(Answer::Take),
        1 => Just(Answer::Take(0)),
        1 => Just(Answer::Fail(io::ErrorKind::Interrupted)),
        1 => Just(Answer::Fail(io::ErrorKind::BrokenPipe)),
        1 => Just(Answer::Fail(io::ErrorKind::StorageFull)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_destination_does_every_line_has_one_fate(
        script in prop::collection::vec(any_answer(), 0..40),
        lines in prop::collection::vec("[a-z]{0,30}", 1..40),
        flush_after in 0_usize..40,
    ) {
        let (output, captured) = scripted(script);
        for (number, line) in lines.iter().enumerate() {
            output.write(Class::Info, format!("<{number} {line}>").as_bytes());
            if number == flush_after {
                prop_assert!(output.flush(LONG));
            }
        }
        prop_assert!(output.shutdown(LONG));
        let ledger = output.ledger();
        prop_assert!(ledger.is_conserved());
        prop_assert_eq!(ledger.queued, 0);
        // What counts as written is there, whole and in order. A line the destination took whole
        // but refused the line feed of is there too, though it does not count.
        let whole: Vec<_> = captured
            .lines()
            .into_iter()
            .filter(|line| line.starts_with('<') && line.ends_with('>'))
            .collect();
        prop_assert!(whole.len() as u64 >= ledger.written);
        let expected: Vec<_> =
            lines.iter().enumerate().map(|(number, line)| format!("<{number} {line}>")).collect();
        let mut rest = expected.iter();
        prop_assert!(whole.iter().all(|line| rest.any(|expected| expected == line)));
    }
}
