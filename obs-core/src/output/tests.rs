use std::time::Duration;

use super::*;

const LONG: Duration = Duration::from_secs(30);

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
    assert!(ledger.is_conserved());
}
