use http::{HeaderMap, HeaderName, HeaderValue};
use obs_core::propagate::{Carrier, Found};

use super::grpc;

/// The standard headers that a record needs, found by one look at all of them: a look-up that
/// finds nothing costs as much as passing over a handful.
///
/// Of a header with several values it holds the first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StandardHeaders<'a> {
    pub(crate) host: Option<&'a HeaderValue>,
    pub(crate) user_agent: Option<&'a HeaderValue>,
    content_type: Option<&'a HeaderValue>,
    content_length: Option<&'a HeaderValue>,
    pub(crate) has_transfer_encoding: bool,
}

impl<'a> StandardHeaders<'a> {
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        let mut this = Self::default();
        for (name, value) in headers {
            this.take(name.as_str().as_bytes(), value);
        }
        this
    }

    /// Takes note of a header, written in lower case; `false` if no record needs it.
    #[inline]
    fn take(&mut self, name: &[u8], value: &'a HeaderValue) -> bool {
        // Most of the headers that clients send begin otherwise.
        let [b'c' | b'h' | b't' | b'u', ..] = name else { return false };
        let place = match name {
            b"content-type" => &mut self.content_type,
            b"content-length" => &mut self.content_length,
            b"host" => &mut self.host,
            b"user-agent" => &mut self.user_agent,
            b"transfer-encoding" => {
                self.has_transfer_encoding = true;
                return true;
            }
            _ => return false,
        };
        place.get_or_insert(value);
        true
    }

    /// Whether the message is gRPC.
    pub(crate) fn is_grpc(&self) -> bool {
        self.content_type.is_some_and(grpc::is_grpc_type)
    }

    pub(crate) const fn has_content_length(&self) -> bool {
        self.content_length.is_some()
    }

    /// The length of the body as promised.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.content_length?.to_str().ok()?.parse().ok()
    }
}

/// Everything that is asked of a request's headers, found by one look.
pub(crate) struct RequestFields<'a> {
    headers: &'a HeaderMap,
    pub(crate) standard: StandardHeaders<'a>,
    propagated: Found<'a>,
}

impl<'a> RequestFields<'a> {
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        let (standard, propagated) = (StandardHeaders::default(), Found::nothing());
        let mut fields = Self { headers, standard, propagated };
        for (name, value) in headers {
            let name = name.as_str().as_bytes();
            if !fields.standard.take(name, value) {
                fields.propagated.add(name, value.as_bytes());
            }
        }
        fields
    }
}

impl Carrier for RequestFields<'_> {
    fn get_all<'a>(&'a self, field: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        Carrier::get_all(self.headers, field)
    }

    #[inline]
    fn find(&self) -> Found<'_> {
        self.propagated
    }
}

#[cfg(test)]
mod tests {

    use http::header;
    use obs_core::propagate::{Propagators, TrustPolicy};

    use super::*;

    fn headers(list: &[(HeaderName, &'static str)]) -> HeaderMap {
        let value = |text| HeaderValue::from_static(text);
        let mut headers = HeaderMap::new();
        for (name, text) in list {
            headers.append(name, value(text));
        }
        headers
    }

    #[test]
    fn each_header_is_found_and_the_first_of_several_counts() {
        let headers = headers(&[
            (header::ACCEPT, "*/*"),
            (header::HOST, "shop"),
            (header::HOST, "other"),
            (header::USER_AGENT, "curl"),
            (header::CONTENT_TYPE, "application/grpc+proto"),
            (header::CONTENT_LENGTH, "17"),
            (header::TRANSFER_ENCODING, "chunked"),
        ]);
        let found = StandardHeaders::of(&headers);
        assert_eq!(found.host.unwrap(), "shop");
        assert_eq!(found.user_agent.unwrap(), "curl");
        assert_eq!((found.is_grpc(), found.content_length()), (true, Some(17)));
        assert!(found.has_transfer_encoding && found.has_content_length());
    }

    #[test]
    fn a_length_that_is_no_number_promises_nothing() {
        for text in ["", "-1", "1 ", "x"] {
            let headers = headers(&[(header::CONTENT_LENGTH, text)]);
            let found = StandardHeaders::of(&headers);
            assert_eq!(
                (found.has_content_length(), found.content_length()),
                (true, None),
                "{text}"
            );
        }
    }

    #[test]
    fn one_look_finds_what_two_would() {
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let headers = headers(&[
            (header::HOST, "shop"),
            (header::TE, "trailers"),
            (HeaderName::from_static("traceparent"), traceparent),
            (HeaderName::from_static("baggage"), "a=1"),
            (HeaderName::from_static("baggage"), "b=2"),
            (HeaderName::from_static("x-request-id"), "r-1"),
            (HeaderName::from_static("x-tenant-id"), "acme"),
        ]);
        let fields = RequestFields::of(&headers);
        assert_eq!(fields.standard.host.unwrap(), "shop");
        let (propagators, policy) = (Propagators::default(), TrustPolicy::internal());
        let extracted = propagators.extract(&fields, &policy);
        assert_eq!(extracted, propagators.extract(&headers, &policy));
        assert_eq!(extracted.baggage.get("b").as_deref(), Some("2"));
    }
}
