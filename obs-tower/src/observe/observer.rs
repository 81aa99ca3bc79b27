//! What a layer and its services share: where a request's record begins and ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use obs_core::client_address::TrustedHops;
use obs_core::clock::{Clock, Instant};
use obs_core::config::ConfigError;
use obs_core::context::{Recorded, RequestContext};
use obs_core::log::{Ids, Line};
use obs_core::outcome::Outcome;
use obs_core::propagate::Extracted;
use obs_core::telemetry::{RequestLine, Telemetry};
use obs_core::trace::SamplingInput;
use tracing::Level;

use super::by_route::ByRoute;
use super::config::Config;
use super::ending::{Circumstances, Ending};
use super::head::RequestHead;
use super::in_flight::InFlight;
use super::metrics::{self, Metrics, Share};
use super::recording::{Extra, Recording};
use super::request_body::Intake;
use super::route::Route;
use super::span::{Names, RequestSpan};
use super::texts::Texts;
use super::ticket::Ticket;
use super::{line, peer};
use crate::exchange::{End, RequestFields, StandardHeaders, contained, method_name, scheme};

/// Aligned, for the count of references stands before it and changes with each request, while this
/// is mostly read.
#[repr(align(128))]
pub(super) struct Observer {
    telemetry: Telemetry,
    config: Config,
    in_flight: InFlight,
    metrics: Metrics,
    names: Arc<ByRoute<Names>>,
    hops: TrustedHops,
    /// Extractors and redactions that panicked.
    trouble: AtomicU64,
}

impl Observer {
    pub(super) fn new(telemetry: Telemetry, config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let metrics = Metrics::declare(&telemetry, &config)?;
        let hops = match config.trusted_hops {
            Some(hops) => hops,
            None => TrustedHops::from_environment(telemetry.environment())?,
        };
        Ok(Self::assemble(telemetry, config, metrics, hops))
    }

    /// An observer with the defaults. What the environment or the service's name makes impossible
    /// is left out, and a line says so.
    pub(super) fn with_defaults(telemetry: Telemetry) -> Self {
        let config = Config::default();
        let complain = |error: &ConfigError| {
            let message = format_args!("a setting of the observability layer is ignored: {error}");
            telemetry.line(Level::ERROR, line::TARGET, message, &Ids::default(), |_| {});
        };
        let metrics = Metrics::declare(&telemetry, &config).inspect_err(complain);
        let hops = TrustedHops::from_environment(telemetry.environment()).inspect_err(complain);
        let (metrics, hops) = (metrics.unwrap_or(Metrics::Off), hops.unwrap_or_default());
        Self::assemble(telemetry, config, metrics, hops)
    }

    fn assemble(telemetry: Telemetry, config: Config, metrics: Metrics, hops: TrustedHops) -> Self {
        let in_flight = InFlight::new(config.name.clone(), telemetry.clock().clone());
        telemetry.controls().register(Arc::new(in_flight.clone()));
        let names = Arc::default();
        Self { telemetry, config, in_flight, metrics, names, hops, trouble: AtomicU64::new(0) }
    }

    pub(super) fn clock(&self) -> &Clock {
        self.telemetry.clock()
    }

    pub(super) const fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    pub(super) const fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// Opens the record of a request; with an intake if its body is to be watched.
    pub(super) fn begin(self: &Arc<Self>, head: &RequestHead<'_>) -> (Ticket, Option<Arc<Intake>>) {
        let (now, wall) = (self.clock().now(), self.clock().wall());
        let fields = RequestFields::of(head.headers);
        let mut extracted = Extracted::default();
        self.telemetry.propagators().extract_into(&mut extracted, &fields, &self.config.trust);
        let [tenant, user] = self.identities(head, &mut extracted);
        let headers = fields.standard;
        let context = RequestContext::received(
            &self.telemetry,
            &mut extracted,
            (now, wall),
            |trace_id, parent_sampled| {
                let input = SamplingInput::new(trace_id, self.telemetry.service_name());
                self.samples(input.parent_sampled(parent_sampled), head, &headers)
            },
        );
        tenant.map(|tenant| context.set_tenant_id(tenant));
        user.map(|user| context.set_user_id(user));

        let route = match &self.config.route {
            Some(route) => self.contained(|| route(*head)).flatten(),
            None => Route::matched(head.extensions),
        };
        let skipped = self.config.skips(route.as_ref(), head);
        let operation = self.config.operation_name.as_ref();
        let operation = operation.and_then(|name| self.contained(|| name(*head)).flatten());
        let body = self.config.request_body.as_ref();
        let intake = Intake::new(head, &headers, body.and_then(|body| body.capture(head.headers)));
        let client_address = self.hops.client_address(head.headers, peer::peer(head));
        let extra = self.extra(head);
        let seat = self.in_flight.seat(|place| {
            let recording = place.insert(Recording {
                context: context.clone(),
                started: now,
                wall,
                method: method_name(head.method),
                route,
                texts: Texts::default(),
                scheme: scheme(head.uri),
                version: head.version,
                is_grpc: headers.is_grpc(),
                skipped,
                in_flight: self.in_flight.enter(),
                operation,
                client_address,
                promised_bytes: headers.content_length(),
                intake: intake.clone(),
                response: None,
                response_bytes: 0,
                first_byte: None,
                extra,
            });
            recording.texts.set(head.uri.path(), headers.user_agent, context.is_sampled());
        });
        (Ticket::new(Arc::clone(self), context, seat), intake)
    }
}

impl Observer {
    /// The sampling verdict. A request whose tracing is switched off passes on its caller's.
    fn samples(
        &self,
        input: SamplingInput<'_>,
        head: &RequestHead<'_>,
        headers: &StandardHeaders<'_>,
    ) -> bool {
        if !self.config.tracing {
            return input.parent_sampled.unwrap_or(false);
        }
        let sampler = match &self.config.sampler {
            Some(sampler) => sampler,
            None => self.telemetry.tracer().sampler(),
        };
        if !sampler.reads_requests() {
            return sampler.decide(&input).sampled;
        }
        let host = headers.host.map(|host| String::from_utf8_lossy(host.as_bytes()));
        let host = host.as_deref().unwrap_or_default();
        let path = head.uri.path();
        sampler.decide(&input.http(head.method.as_str(), path, host)).sampled
    }

    /// Tenant and user as the extractors have them, which take precedence over the headers.
    fn identities(
        &self,
        head: &RequestHead<'_>,
        extracted: &mut Extracted,
    ) -> [Option<Arc<str>>; 2] {
        let Config { tenant_id, user_id, .. } = &self.config;
        let [tenant, user] = [tenant_id, user_id].map(|extract| {
            let extract = extract.as_ref()?;
            self.contained(|| extract(*head)).flatten().map(Arc::from)
        });
        if tenant.is_some() {
            extracted.tenant_id = None;
        }
        if user.is_some() {
            extracted.user_id = None;
        }
        [tenant, user]
    }

    /// Headers that are to be logged.
    fn extra(&self, head: &RequestHead<'_>) -> Option<Box<Extra>> {
        if self.config.headers.is_empty() {
            return None;
        }
        let headers: Vec<_> = self.config.logged_headers(head.headers).collect();
        (!headers.is_empty()).then(|| Box::new(Extra { headers, response_body: None }))
    }

    /// Calls code of the service's author; if it panics, the request goes on without its answer.
    fn contained<T>(&self, call: impl FnOnce() -> T) -> Option<T> {
        let answer = contained(call);
        if answer.is_none() {
            self.troubled();
        }
        answer
    }

    /// Counts a panic of an extractor and, for the first and each power of two, writes a line.
    fn troubled(&self) {
        let count = self.trouble.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            self.telemetry.line(
                Level::WARN,
                line::TARGET,
                format_args!("an extractor of the observability layer panicked"),
                &Ids::default(),
                |line| {
                    line.u64("panics", count);
                },
            );
        }
    }

    /// Closes the record of a request and writes its encodings; called once for each.
    pub(super) fn finish(&self, recording: &mut Recording, end: End, now: Instant) {
        self.in_flight.leave();
        let recorded = recording.context.take_recorded();
        let seen = recorded.as_deref().unwrap_or(Recorded::nothing());
        let deadline = recording.context.deadline();
        let circumstances = Circumstances {
            now,
            stopping: self.in_flight.is_stopping(),
            deadline_has_passed: deadline.is_some_and(|deadline| deadline.has_passed(now)),
        };
        let ending = Ending::of(recording, end, seen.error_kind.clone(), circumstances);
        let is_slow = self.config.is_slow(ending.at - recording.started);
        let share = self.metrics.hand_over(recording, seen, &ending, is_slow);
        if let Some(recorder) = recording.context.flight_recorder() {
            let went_well = matches!(ending.outcome, Outcome::Success | Outcome::ClientError);
            recorder.settle(!went_well || is_slow);
        }
        self.write_line(recording, seen, &ending, share);
        self.end_span(recording, recorded, ending);
    }

    /// Writes the line, with the metrics if they go out with it.
    fn write_line(
        &self,
        recording: &Recording,
        recorded: &Recorded,
        ending: &Ending,
        share: Share,
    ) {
        let logged = self.config.logging && !recording.skips_line(ending) && share != Share::None;
        let metrics = self.metrics.in_line();
        if share == Share::None && self.config.logging {
            self.telemetry.output().sampled_out(1);
        }
        if !logged && metrics.is_none() {
            return;
        }
        let context = &recording.context;
        let timestamp = metrics::at(recording, ending);
        let head = RequestLine {
            timestamp,
            level: ending.level(),
            head: if logged { &line::COMPLETED } else { &line::METRICS },
            ids: context.own_ids(),
            has_metrics: metrics.is_some(),
        };
        let fields = |line: &mut Line<'_>| {
            if logged {
                line::write_fields(line, recording, ending);
                line::write_rest(line, recording, recorded, ending, &self.config);
            }
            if let (Share::Weighted(weight), true) = (share, logged) {
                line.u64("sample_weight", weight.into());
            }
        };
        let Some(metrics) = metrics else {
            self.telemetry.request_line(&head, fields, |_| {});
            return;
        };
        let observation = metrics::observation(recording, ending);
        // `None` until the metrics of the request itself are written.
        let mut written: Option<usize> = None;
        self.telemetry.request_line_with_tails(&head, fields, |out, room| {
            let extras = &recorded.metrics[written.unwrap_or(0)..];
            let (at, seen) = (timestamp, &observation);
            let tail = match written {
                None => metrics.encode_tail_with(out, at, seen, extras, room.bytes),
                Some(_) => metrics.encode_extras(out, at, seen, extras, room.bytes),
            };
            written = Some(written.unwrap_or(0) + tail.extras);
            tail.extras < extras.len()
        });
    }

    /// Exports the span, if the request was sampled or ended in a way that must be seen.
    fn end_span(&self, recording: &mut Recording, recorded: Option<Box<Recorded>>, ending: Ending) {
        let tracer = self.telemetry.tracer();
        if !self.config.tracing || !tracer.is_recording() {
            return;
        }
        let sampled = recording.context.is_sampled();
        let slow = self.config.is_slow(ending.at - recording.started);
        let unseen = recording.skips_line(&ending) || !sampled && !ending.is_fault() && !slow;
        if unseen {
            tracer.sampled_out();
            return;
        }
        let shared = (&self.names, &self.config.tags);
        let span = RequestSpan::of(recording, recorded, ending, shared);
        tracer.export_later(!sampled, move || span.into_record());
    }

    /// Ends the requests that are being served as cut short by the service's stop.
    pub(super) fn stop(&self) {
        self.in_flight.stop();
        for flight in self.in_flight.flights() {
            let mut recording = flight.lock().take();
            if let Some(recording) = &mut recording {
                self.finish(recording, End::Shutdown, self.clock().now());
            }
        }
    }
}
