//! The shop: every service in one binary.

use std::process::ExitCode;

use obs_core::environment::Environment;
use shop::args::{Command, USAGE};
use shop::{commands, demo, supervise, up};

#[tokio::main]
async fn main() -> ExitCode {
    let environment = Environment::process();
    match Command::parse(std::env::args().skip(1)) {
        Ok(Command::Up(options)) => up::up(options, environment).await,
        Ok(Command::Supervise(options)) => supervise::supervise(options).await,
        Ok(Command::Inspect { command, data, json }) => {
            commands::inspect(command, &data, json).await
        }
        Ok(Command::Demo) => demo::demo(environment).await,
        Ok(Command::Help) => {
            eprint!("{USAGE}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprint!("shop: {error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}
