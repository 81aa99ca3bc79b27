use http::{HeaderMap, HeaderValue, header};

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
            let place = if *name == header::CONTENT_TYPE {
                &mut this.content_type
            } else if *name == header::CONTENT_LENGTH {
                &mut this.content_length
            } else if *name == header::HOST {
                &mut this.host
            } else if *name == header::USER_AGENT {
                &mut this.user_agent
            } else {
                this.has_transfer_encoding |= *name == header::TRANSFER_ENCODING;
                continue;
            };
            place.get_or_insert(value);
        }
        this
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

#[cfg(test)]
mod tests {
    use http::HeaderName;

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
}
