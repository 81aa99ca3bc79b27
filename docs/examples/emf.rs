//! The example of obs-emf's README.
#![allow(clippy::print_stdout, reason = "it is a program for a person to read")]

use obs_core::clock::Timestamp;
use obs_core::metric::Unit;
use obs_emf::Shape;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let placed = Shape::builder("Shop")
        .dimension_set(["Service"])
        .constant("Service", "orders")
        .metric(("OrderValue", Unit::None))
        .metric(("Latency", Unit::Milliseconds))
        .build()?;

    let mut line = br#"{"message":"order placed""#.to_vec();
    let ledger = placed.encode_tail(
        &mut line,
        Timestamp::from_unix_millis(1_767_225_600_000),
        &[],
        &[99.5, 12.25],
    );
    line.push(b'}');

    println!("{}", String::from_utf8(line)?);
    println!("emitted {}, dropped {}", ledger.emitted, ledger.dropped());
    Ok(())
}
