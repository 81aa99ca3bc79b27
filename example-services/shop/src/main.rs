//! The shop: every service in one binary.

use std::io::Write;
use std::process::ExitCode;

use obs_core::clock::Clock;
use obs_core::environment::Environment;
use shop::args::{Command, USAGE};
use shop::{commands, demo, supervise, up};

#[tokio::main]
async fn main() -> ExitCode {
    let began = Clock::system().now();
    let environment = Environment::process();
    match Command::parse(std::env::args().skip(1)) {
        Ok(Command::Up(options)) => up::up(options, environment, began).await,
        Ok(Command::Supervise(options)) => supervise::supervise(options).await,
        Ok(Command::Inspect { command, data, json }) => {
            commands::inspect(command, &data, json).await
        }
        Ok(Command::Demo { json }) => demo::demo(environment, json).await,
        Ok(Command::Help) => {
            let _ = std::io::stdout().write_all(USAGE.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprint!("shop: {error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}
