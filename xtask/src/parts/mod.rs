//! The real parts that tests talk to: emulators of AWS, Redis, PostgreSQL, an OTLP sink, a browser.
//!
//! They are installed once under `.parts/` (Python packages, each in an environment of its own) or
//! by the system's package manager (Redis, PostgreSQL, Chromium), started on free ports of 127.0.0.1, and stopped by
//! their process when the run ends.

mod chromium;
pub(crate) mod debian;
mod postgres;
mod process;
mod python;
mod redis;

use std::io::Read;
use std::path::PathBuf;
use std::process::Command;

use crate::command::Outcome;
use crate::workspace::root;
use process::{Running, free_port, spawn};
use python::Package;

/// MiniStack: DynamoDB, SQS, SNS, EventBridge, Step Functions, Kinesis, CloudWatch.
///
/// Without cbor2 it answers 200 to the Rust SDK's PutMetricData and stores nothing.
const MINISTACK: Package = Package {
    name: "ministack",
    requirements: &["ministack==1.5.33", "cbor2", "cryptography"],
    program: "bin/ministack",
};

/// moto, for X-Ray segment documents alone; the rest of its server extra is left out.
const MOTO: Package = Package {
    name: "moto",
    requirements: &["moto[xray]==5.2.5", "flask", "flask-cors"],
    program: "bin/moto_server",
};

/// rotel: a small OTLP sink that prints what it receives.
const ROTEL: Package = Package {
    name: "rotel",
    requirements: &["rotel==0.0.1a15"],
    program: "lib/python3/site-packages/rotel/rotel-agent",
};

/// cfn-lint judges the CloudFormation that obs-emf generates.
const CFN_LINT: Package =
    Package { name: "cfn-lint", requirements: &["cfn-lint==1.58.0"], program: "bin/cfn-lint" };

/// Where installed parts and their logs live; git ignores it.
fn folder() -> PathBuf {
    root().join(".parts")
}

/// Installs what is not installed yet.
pub(crate) fn install() -> Outcome {
    for package in [MINISTACK, MOTO, ROTEL, CFN_LINT] {
        package.install()?;
    }
    chromium::install()?;
    redis::install()?;
    postgres::install()
}

/// Running parts; dropping them stops them.
#[derive(Debug)]
pub(crate) struct Parts {
    environment: Vec<(&'static str, String)>,
    /// Never read: dropping it stops the servers.
    _running: Vec<Running>,
}

impl Parts {
    /// Starts every part and waits until each answers.
    pub(crate) fn start() -> Outcome<Self> {
        let mut parts = Self { environment: Vec::new(), _running: Vec::new() };
        parts.ministack()?;
        parts.moto()?;
        parts.rotel()?;
        parts.redis()?;
        parts.postgres()?;
        parts.set("OBS_TEST_CHROMIUM", chromium::program()?.display().to_string());
        parts.set("OBS_TEST_CFN_LINT", CFN_LINT.program()?.display().to_string());
        Ok(parts)
    }

    /// The variables by which tests find the parts.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.environment.iter().map(|(name, value)| (*name, value.as_str()))
    }

    fn set(&mut self, name: &'static str, value: String) {
        self.environment.push((name, value));
    }

    fn ministack(&mut self) -> Outcome {
        let port = free_port()?;
        let mut command = Command::new(MINISTACK.program()?);
        command
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("LOG_LEVEL", "WARNING");
        self._running.push(spawn("ministack", &mut command, &[port])?);
        self.set("OBS_TEST_MINISTACK", format!("http://127.0.0.1:{port}"));
        Ok(())
    }

    fn moto(&mut self) -> Outcome {
        let port = free_port()?;
        let mut command = Command::new(MOTO.program()?);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        self._running.push(spawn("moto", &mut command, &[port])?);
        self.set("OBS_TEST_MOTO", format!("http://127.0.0.1:{port}"));
        Ok(())
    }

    fn rotel(&mut self) -> Outcome {
        let (grpc, http) = (free_port()?, free_port()?);
        let mut command = Command::new(ROTEL.program()?);
        command
            .args(["start", "--exporter", "blackhole"])
            .args(["--debug-log", "traces", "--debug-log-verbosity", "detailed"])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{grpc}")])
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{http}")]);
        let running = spawn("rotel", &mut command, &[grpc, http])?;
        self.set("OBS_TEST_ROTEL_GRPC", format!("http://127.0.0.1:{grpc}"));
        self.set("OBS_TEST_ROTEL_HTTP", format!("http://127.0.0.1:{http}"));
        self.set("OBS_TEST_ROTEL_LOG", running.log().display().to_string());
        self._running.push(running);
        Ok(())
    }

    fn redis(&mut self) -> Outcome {
        let (single, address) = redis::start_single()?;
        self._running.push(single);
        self.set("OBS_TEST_REDIS", address);
        let (nodes, addresses) = redis::start_cluster()?;
        self._running.extend(nodes);
        self.set("OBS_TEST_REDIS_CLUSTER", addresses);
        Ok(())
    }

    fn postgres(&mut self) -> Outcome {
        let (running, url) = postgres::start()?;
        self._running.push(running);
        self.set("OBS_TEST_POSTGRES", url);
        Ok(())
    }
}

/// `cargo xtask parts`: starts the parts and prints how to reach them until standard input ends.
pub(crate) fn serve() -> Outcome {
    install()?;
    let parts = Parts::start()?;
    for (name, value) in parts.environment() {
        eprintln!("export {name}={value}");
    }
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
