use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

/// A file that pages refer to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
}

/// How pages look.
pub(crate) const STYLE: Asset = Asset {
    name: "style.css",
    kind: "text/css; charset=utf-8",
    content: include_str!("../../assets/style.css"),
};

/// What keeps the page of an order up to date.
pub(crate) const SCRIPT: Asset = Asset {
    name: "order.js",
    kind: "text/javascript; charset=utf-8",
    content: include_str!("../../assets/order.js"),
};

/// The drawings of what is on offer.
pub(crate) const DRAWINGS: Asset = Asset {
    name: "drawings.svg",
    kind: "image/svg+xml",
    content: include_str!("../../assets/drawings.svg"),
};

/// The picture in the tab.
pub(crate) const ICON: Asset = Asset {
    name: "icon.svg",
    kind: "image/svg+xml",
    content: include_str!("../../assets/icon.svg"),
};

const ALL: [Asset; 4] = [STYLE, SCRIPT, DRAWINGS, ICON];

impl Asset {
    /// Where it is found. Another content has another address, so that none is shown when it is
    /// old.
    pub(crate) fn address(self) -> String {
        format!("/assets/{}?v={:08x}", self.name, fingerprint(self.content))
    }
}

/// [FNV-1a](https://datatracker.ietf.org/doc/html/draft-eastlake-fnv): it tells versions apart,
/// nothing more.
fn fingerprint(content: &str) -> u32 {
    content
        .bytes()
        .fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

pub(crate) async fn serve(Path(name): Path<String>) -> Response {
    let Some(asset) = ALL.into_iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, asset.content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_content_has_another_address() {
        let other = Asset { content: "body {}", ..STYLE };
        assert_ne!(other.address(), STYLE.address());
    }

    #[test]
    fn all_files_together_are_far_from_a_quarter_of_the_limit() {
        // 200 KB for the storefront; pages themselves are measured where they are made.
        let bytes: usize = ALL.iter().map(|asset| asset.content.len()).sum();
        assert!(bytes < 50_000, "{bytes}");
    }
}
