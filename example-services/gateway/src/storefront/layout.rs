use std::fmt::Write as _;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};
use maud::{DOCTYPE, Markup, html};
use shop_domain::money::Money;

use super::assets;
use super::trouble::Trouble;
use super::wants::Wants;

/// A page, for eyes and for terminals.
pub(crate) trait View {
    /// What the window is called.
    fn title(&self) -> String;

    /// The page between head and foot.
    fn html(&self) -> Markup;

    /// The same as text, each line indented by two.
    fn text(&self) -> String;

    /// The part of the shop it belongs to: the address of a link of the head.
    fn section(&self) -> &'static str {
        ""
    }

    /// After how many seconds a browser without scripts loads it again.
    fn reload(&self) -> Option<u32> {
        None
    }
}

/// The answer that shows `view`.
pub(crate) fn show(wants: Wants, status: StatusCode, view: &impl View) -> Response {
    let (kind, body) = match wants {
        Wants::Html => ("text/html; charset=utf-8", document(view).into_string()),
        Wants::Text => {
            let text = format!("\n  {}\n\n{}\n", view.title(), view.text());
            ("text/plain; charset=utf-8", printable(&text))
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Goods, café and cart, as the head links them.
const SECTIONS: [(&str, &str); 3] = [("/", "Goods"), ("/menu", "Café"), ("/cart", "Cart")];

fn document(view: &impl View) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (view.title()) " – ShopFast" }
                link rel="stylesheet" href=(assets::STYLE.address());
                link rel="icon" href=(assets::ICON.address()) type="image/svg+xml";
                @if let Some(seconds) = view.reload() {
                    noscript { meta http-equiv="refresh" content=(seconds); }
                    script src=(assets::SCRIPT.address()) defer {}
                }
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.head {
                    a.brand href="/" { "ShopFast" }
                    nav aria-label="Shop" {
                        @for (address, name) in SECTIONS {
                            @let here = (view.section() == address).then_some("page");
                            a href=(address) aria-current=[here] { (name) }
                        }
                    }
                }
                main #main tabindex="-1" { (view.html()) }
                footer.foot {
                    p { "A demonstration shop: nothing is sold, nobody is charged." }
                }
            }
        }
    }
}

/// Without characters that would steer the terminal that shows the text.
fn printable(text: &str) -> String {
    text.chars()
        .map(|char| if char.is_control() && char != '\n' { '\u{fffd}' } else { char })
        .collect()
}

/// An amount, with the currency set smaller.
pub(crate) fn price(money: Money) -> Markup {
    let text = money.to_string();
    let (amount, currency) = text.split_once(' ').unwrap_or((&text, ""));
    html! { span.price { (amount) " " span.currency { (currency) } } }
}

/// A name in a column of `width` characters; a longer one is cut.
pub(crate) fn column(text: &str, width: usize) -> String {
    let length = text.chars().count();
    let mut column: String = text.chars().take(width).collect();
    if length > width {
        column.pop();
        column.push('…');
    }
    let _ = write!(column, "{:1$}", "", width.saturating_sub(length));
    column
}

/// What a browser may do with our pages: show them, with our style, script and drawings, and send
/// our forms to us.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const GUARDS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    // The same address has a page and a text.
    (header::VARY, "accept, user-agent"),
];

/// Writes troubles as pages and says what a browser may do with them.
pub(crate) async fn guarded(request: Request, next: Next) -> Response {
    let wants = Wants::of(request.headers());
    let mut response = next.run(request).await;
    if let Some(trouble) = response.extensions_mut().remove::<Trouble>() {
        response = show(wants, trouble.status(), &trouble);
    }
    for (name, value) in GUARDS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_does_not_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[31m\r\u{9b}b\n"), "a\u{fffd}[31m\u{fffd}\u{fffd}b\n");
    }

    #[test]
    fn columns_are_as_wide_as_they_are_told() {
        for text in ["", "cup", "zwölf Böden", "a name that is far too long"] {
            assert_eq!(column(text, 11).chars().count(), 11, "{text}");
        }
    }
}
