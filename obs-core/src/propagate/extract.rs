use std::sync::Arc;
use std::time::Duration;

use super::found::Slot;
use super::propagators::{CorrelationField, TraceFormat};
use super::{
    Baggage, Carrier, Found, Propagators, TraceParent, TraceState, TraceTrust, Traceparent,
    TrustPolicy, XrayHeader, field, scan,
};
use crate::id::{CorrelationId, TraceId};

/// What a request or message told about itself, as far as it is trusted.
///
/// ```
/// use http::{HeaderMap, HeaderValue};
/// use obs_core::propagate::{Propagators, TrustPolicy};
///
/// let mut headers = HeaderMap::new();
/// headers.insert("x-correlation-id", HeaderValue::from_static("order-7"));
/// headers.insert("x-tenant-id", HeaderValue::from_static("acme"));
///
/// let propagators = Propagators::from_names("tracecontext,xray,baggage")?;
/// let extracted = propagators.extract(&headers, &TrustPolicy::internal());
/// assert_eq!(extracted.correlation_id.expect("it was sent").as_str(), "order-7");
/// assert_eq!(extracted.tenant_id.as_deref(), Some("acme"));
/// assert!(extracted.parent.is_none());
///
/// // At the edge anybody could say that.
/// let extracted = propagators.extract(&headers, &TrustPolicy::edge());
/// assert_eq!(extracted.tenant_id, None);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extracted {
    /// The trace to continue; `None` starts a new one.
    pub parent: Option<TraceParent>,
    /// Traces that belong to this one without being its parent.
    pub links: Vec<TraceParent>,
    /// The trace that was not chosen when two headers name different ones; it is among the links.
    pub other_trace: Option<TraceId>,
    /// The correlation id; `None` if there is none or it was refused.
    pub correlation_id: Option<CorrelationId>,
    /// What is kept of a correlation id that was refused.
    pub rejected_correlation: Option<RejectedId>,
    /// The baggage.
    pub baggage: Baggage,
    /// The tenant: 1 to 128 bytes of `[A-Za-z0-9._:+/=@|~-]`.
    pub tenant_id: Option<Arc<str>>,
    /// The user, in the same grammar.
    pub user_id: Option<Arc<str>>,
    /// The time left for an answer; zero if there is none.
    pub timeout: Option<Duration>,
    /// 1 for a first attempt, 2 for a first retry; at most 999.
    pub attempt: Option<u32>,
    /// The signed request for more lines, unchecked: at most 512 bytes of visible ASCII.
    pub debug: Option<Arc<str>>,
}

/// What is kept of a correlation id that broke the grammar: enough to find out who sends it, and
/// none of its bytes.
///
/// ```
/// use http::{HeaderMap, HeaderValue};
/// use obs_core::propagate::{Propagators, TrustPolicy};
///
/// let mut headers = HeaderMap::new();
/// headers.insert("x-correlation-id", HeaderValue::from_static("two words, and <markup>"));
/// let extracted = Propagators::default().extract(&headers, &TrustPolicy::edge());
/// let rejected = extracted.rejected_correlation.expect("it is no id");
/// assert_eq!(rejected.length, 23);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RejectedId {
    /// Its length in bytes; the sum of all, if there were several values.
    pub length: usize,
    /// The 64-bit [FNV-1a](https://datatracker.ietf.org/doc/html/draft-eastlake-fnv) hash of its
    /// bytes.
    pub hash: u64,
}

const MAX_IDENTITY: usize = 128;
const MAX_DEBUG: usize = 512;

impl Propagators {
    /// Reads what `carrier` tells, as far as `policy` trusts it.
    ///
    /// An X-Ray trace id is continued whatever time its first eight digits tell: ids that came as
    /// `traceparent` have none there, and both headers must name the same trace. Nothing in one
    /// field changes how another is read. Allocates only for `tracestate`, `baggage`, the extras of
    /// `X-Amzn-Trace-Id`, tenant, user, debug and links, and never for what is refused.
    // Inlined, so that what is found is written where the caller keeps it.
    #[inline]
    pub fn extract(&self, carrier: &impl Carrier, policy: &TrustPolicy) -> Extracted {
        let mut extracted = Extracted::default();
        self.extract_into(&mut extracted, carrier, policy);
        extracted
    }

    /// As [`extract`](Self::extract), into `extracted`, a fresh [`Extracted::default`] that stays
    /// where it is instead of being returned, which copies it.
    ///
    /// ```
    /// use http::{HeaderMap, HeaderValue};
    /// use obs_core::propagate::{Extracted, Propagators, TrustPolicy};
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert("x-correlation-id", HeaderValue::from_static("order-7"));
    /// let mut extracted = Extracted::default();
    /// Propagators::default().extract_into(&mut extracted, &headers, &TrustPolicy::edge());
    /// assert_eq!(extracted.correlation_id.expect("it was sent").as_str(), "order-7");
    /// ```
    pub fn extract_into(
        &self,
        extracted: &mut Extracted,
        carrier: &impl Carrier,
        policy: &TrustPolicy,
    ) {
        let found = carrier.find();
        self.extract_trace(carrier, &found, policy, extracted);
        if policy.allows_correlation_id() {
            self.extract_correlation(carrier, &found, extracted);
        }
        if self.baggage && policy.allows_baggage() {
            extracted.baggage = match found.first(Slot::Baggage) {
                Some(_) if found.is_repeated(Slot::Baggage) => {
                    Baggage::parse(carrier.get_all(&field::BAGGAGE))
                }
                Some(value) => Baggage::parse([value]),
                None => Baggage::empty(),
            };
        }
        if policy.allows_tenant_id() {
            extracted.tenant_id = identity(&found, Slot::TenantId);
        }
        if policy.allows_user_id() {
            extracted.user_id = identity(&found, Slot::UserId);
        }
        if policy.allows_timeout() {
            extracted.timeout = timeout(&found);
        }
        if policy.allows_attempt() {
            extracted.attempt = attempt(&found);
        }
        if policy.allows_debug() {
            extracted.debug = debug(&found);
        }
    }

    fn extract_trace(
        &self,
        carrier: &impl Carrier,
        found: &Found<'_>,
        policy: &TrustPolicy,
        extracted: &mut Extracted,
    ) {
        if policy.trace_trust() == TraceTrust::Ignore {
            return;
        }
        let mut parent = None;
        for format in &self.traces {
            let next = match format {
                TraceFormat::W3c => w3c(carrier, found, policy),
                TraceFormat::Xray => xray(found),
            };
            let Some(next) = next else { continue };
            parent = Some(match parent {
                Some(first) => merge(first, next, extracted),
                None => next,
            });
        }
        match policy.trace_trust() {
            TraceTrust::Link => extracted.links.extend(parent),
            TraceTrust::Resample => {
                extracted.parent = parent.map(|parent| TraceParent { sampled: None, ..parent });
            }
            TraceTrust::Continue | TraceTrust::Ignore => extracted.parent = parent,
        }
    }

    fn extract_correlation(
        &self,
        carrier: &impl Carrier,
        found: &Found<'_>,
        extracted: &mut Extracted,
    ) {
        for CorrelationField { name, slot } in &self.correlation {
            let parsed = match slot.map(|slot| (found.first(slot), found.is_repeated(slot))) {
                Some((None, _)) => continue,
                Some((Some(value), false)) => correlation(std::iter::once(value)),
                _ => correlation(carrier.get_all(name)),
            };
            match parsed {
                Ok(Some(id)) => {
                    extracted.correlation_id = Some(id);
                    return;
                }
                Ok(None) => {}
                Err(rejected) => {
                    extracted.rejected_correlation.get_or_insert(rejected);
                }
            }
        }
    }
}

fn w3c(carrier: &impl Carrier, found: &Found<'_>, policy: &TrustPolicy) -> Option<TraceParent> {
    let parent = Traceparent::parse(found.single(Slot::Traceparent)?)?;
    let mut parent = TraceParent::from(parent);
    if policy.allows_trace_state()
        && let Some(first) = found.first(Slot::Tracestate)
    {
        parent.tracestate = if found.is_repeated(Slot::Tracestate) {
            let values = carrier.get_all(&field::TRACESTATE);
            let values: smallvec::SmallVec<[&[u8]; 4]> = values.collect();
            TraceState::parse(values.iter().copied())
        } else {
            TraceState::parse([first])
        }
        .unwrap_or_default();
    }
    Some(parent)
}

fn xray(found: &Found<'_>) -> Option<TraceParent> {
    Some(XrayHeader::parse(found.single(Slot::Xray)?)?.into())
}

/// Two headers that name the same trace complete each other; of two traces, one becomes a link.
///
/// The first is preferred unless only the second tells the caller's span.
fn merge(first: TraceParent, second: TraceParent, extracted: &mut Extracted) -> TraceParent {
    let (mut chosen, other) = match (first.parent_span, second.parent_span) {
        (None, Some(_)) => (second, first),
        _ => (first, second),
    };
    if chosen.trace_id != other.trace_id {
        extracted.other_trace = Some(other.trace_id);
        extracted.links.push(other);
        return chosen;
    }
    chosen.sampled = chosen.sampled.or(other.sampled);
    chosen.random |= other.random;
    if chosen.tracestate.is_empty() {
        chosen.tracestate = other.tracestate;
    }
    if chosen.xray == super::XrayExtras::none() {
        chosen.xray = other.xray;
    }
    chosen
}

fn correlation<'a>(
    mut values: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<CorrelationId>, RejectedId> {
    let Some(first) = values.next() else { return Ok(None) };
    let second = values.next();
    if second.is_none()
        && let Some(id) = CorrelationId::parse(scan::trim(first))
    {
        return Ok(Some(id));
    }
    let all = std::iter::once(first).chain(second).chain(values);
    Err(all.fold(RejectedId { length: 0, hash: FNV_OFFSET }, |rejected, value| RejectedId {
        length: rejected.length + value.len(),
        hash: value
            .iter()
            .fold(rejected.hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME)),
    }))
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

fn identity(found: &Found<'_>, slot: Slot) -> Option<Arc<str>> {
    let value = scan::trim(found.single(slot)?);
    is_identity(value).then(|| scan::text(value).into())
}

/// Whether `value` may name a tenant or a user: a correlation id's grammar, and `|` and `~`, which
/// identity providers use.
pub(crate) fn is_identity(value: &[u8]) -> bool {
    (1..=MAX_IDENTITY).contains(&value.len())
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._:+/=@|~-".contains(byte))
}

fn timeout(found: &Found<'_>) -> Option<Duration> {
    if let Some(value) = found.single(Slot::RequestTimeout) {
        return scan::decimal(scan::trim(value), 10).map(Duration::from_millis);
    }
    let (unit, digits) = scan::trim(found.single(Slot::GrpcTimeout)?).split_last()?;
    let amount = scan::decimal(digits, 8)?;
    Some(match unit {
        b'H' => Duration::from_secs(amount * 3600),
        b'M' => Duration::from_secs(amount * 60),
        b'S' => Duration::from_secs(amount),
        b'm' => Duration::from_millis(amount),
        b'u' => Duration::from_micros(amount),
        b'n' => Duration::from_nanos(amount),
        _ => return None,
    })
}

fn attempt(found: &Found<'_>) -> Option<u32> {
    let value = scan::decimal(scan::trim(found.single(Slot::RequestAttempt)?), 3)?;
    u32::try_from(value).ok().filter(|&attempt| attempt > 0)
}

fn debug(found: &Found<'_>) -> Option<Arc<str>> {
    let value = scan::trim(found.single(Slot::Debug)?);
    let valid = (1..=MAX_DEBUG).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
    valid.then(|| scan::text(value).into())
}
