//! The correlation id.

use http::HeaderName;

use super::*;

#[test]
fn the_first_valid_id_in_the_list_is_taken() {
    let id =
        |headers: &[(&str, &str)]| extract(headers).correlation_id.map(|id| id.as_str().to_owned());
    assert_eq!(id(&[("x-request-id", "r"), ("x-correlation-id", "c")]).as_deref(), Some("c"));
    assert_eq!(id(&[("X-Request-Id", " r ")]).as_deref(), Some("r"));
    assert_eq!(id(&[("x-correlation-id", "<c>"), ("x-request-id", "r")]).as_deref(), Some("r"));
    assert_eq!(id(&[]), None);
}

#[test]
fn a_hostile_id_leaves_its_length_and_a_hash_and_nothing_else() {
    let long = "a".repeat(10_240);
    for hostile in ["a\r\nb", "a\nb", "a\0b", "a\"b", "<a>", "é", "\x1b[31mred", "", &long] {
        let extracted = extract(&[("x-correlation-id", hostile)]);
        assert_eq!(extracted.correlation_id, None, "{hostile:?}");
        assert_eq!(extracted.rejected_correlation.unwrap().length, hostile.len());
        for (name, value) in sent_on(&extracted, &TrustPolicy::internal()) {
            assert!(hostile.is_empty() || !value.contains(hostile), "{name}: {value}");
        }
    }
}

#[test]
fn several_values_are_refused() {
    let extracted = extract(&[("x-correlation-id", "a"), ("x-correlation-id", "bc")]);
    assert_eq!(extracted.correlation_id, None);
    assert_eq!(extracted.rejected_correlation.unwrap().length, 3);
}

#[test]
fn the_hash_is_fnv_1a() {
    let rejected = extract(&[("x-correlation-id", "<foobar>")]).rejected_correlation.unwrap();
    let same = extract(&[("x-correlation-id", "<foobar>")]).rejected_correlation.unwrap();
    assert_eq!(rejected, same);
    // The published vector for "foobar", reached from the same start.
    let vector = extract(&[("x-correlation-id", "foo"), ("x-correlation-id", "bar")]);
    assert_eq!(vector.rejected_correlation.unwrap().hash, 0x85944171f73967e8);
}

#[test]
fn the_headers_that_are_read_and_written_can_be_chosen() {
    let own = Propagators::default()
        .correlation_headers([HeaderName::from_static("x-shop-request")])
        .unwrap();
    let headers = vec![("x-correlation-id", "c"), ("x-shop-request", "s")];
    let extracted = own.extract(&headers, &TrustPolicy::edge());
    assert_eq!(extracted.correlation_id.unwrap().as_str(), "s");
    assert_eq!(own.correlation_header(), "x-shop-request");
    assert!(Propagators::default().correlation_headers([]).is_err());
}
