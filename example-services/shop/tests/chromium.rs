//! The storefront in the browser that `OBS_TEST_CHROMIUM` names.

#![cfg(feature = "real-parts")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use http::StatusCode;
use obs_core::environment::Environment;
use serde_json::{Value, json};
use shop::name::Name;
use support::chromium::Chromium;
use support::{Client, LocalShop};

/// What was transferred, in bytes, as the browser counts it.
fn transferred(browser: &Chromium) -> f64 {
    let loaded = browser.told("Network.loadingFinished");
    loaded.iter().filter_map(|event| event["encodedDataLength"].as_f64()).sum()
}

/// Nothing was refused by the policy of the pages, nothing failed in their script.
fn assert_no_complaints(browser: &Chromium) {
    let complaints = [browser.told("Log.entryAdded"), browser.told("Runtime.exceptionThrown")];
    assert!(complaints.iter().all(Vec::is_empty), "{complaints:#?}");
}

async fn order(gateway: &Client) -> String {
    let body = json!({"user_id": "ada", "lines": [{"product_id": "prod-001", "quantity": 2}]});
    let placed = gateway.post("/api/orders", &[], &body).await;
    assert_eq!(placed.status, StatusCode::CREATED);
    placed.json()["order_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_without_a_mouse_searches_orders_and_sees_it_shipped() {
    let shop = LocalShop::start().await;
    let base = shop.url(Name::Gateway);
    let mut browser = Chromium::start().await;
    browser.open(&base).await;

    browser.press("Tab").await;
    assert_eq!(browser.eval("document.activeElement.textContent").await, "Skip to the content");
    assert_eq!(browser.eval("document.activeElement.getBoundingClientRect().top >= 0").await, true);
    browser.press("Enter").await;
    browser.until("document.activeElement.id === 'main'").await;

    browser.tab_to("#q").await;
    browser.write("kettle").await;
    browser.press("Enter").await;
    browser.until("location.search === '?q=kettle' && document.readyState === 'complete'").await;
    assert_eq!(browser.eval("document.querySelectorAll('.card').length").await, 1);
    let drawn = "document.querySelector('.card use').getBoundingClientRect().width > 10";
    assert_eq!(browser.eval(drawn).await, true, "the policy lets the drawings in");

    browser.tab_to("a.card").await;
    browser.press("Enter").await;
    browser
        .until("location.pathname === '/product/prod-004' && document.readyState === 'complete'")
        .await;
    browser.tab_to("#quantity").await;
    browser.write("3").await;
    browser.press("Enter").await;
    browser.until("location.pathname === '/cart' && document.readyState === 'complete'").await;
    assert_eq!(browser.eval("document.body.innerText.includes('193.50')").await, true);

    browser.tab_to("a.button").await;
    browser.press("Enter").await;
    browser.until("location.pathname === '/checkout' && document.readyState === 'complete'").await;
    browser.tab_to("#card").await;
    browser.write("4242 4242 4242 4242").await;
    browser.tab_to("#email").await;
    browser.write("ada.lovelace@example.com").await;
    browser.press("Enter").await;
    browser
        .until("location.pathname.startsWith('/order/') && document.readyState === 'complete'")
        .await;
    browser.until("document.getElementById('stand').dataset.status === 'SHIPPED'").await;

    assert!(transferred(&browser) < 200_000.0, "{} bytes", transferred(&browser));
    assert_no_complaints(&browser);
    let remains = shop.stop().await;
    assert!(!remains.text.contains("4242 4242") && !remains.text.contains("ada.lovelace"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_an_order_keeps_itself_up_to_date_without_being_loaded_again() {
    // Nobody asks for its payment, so the order waits for us.
    let shop = LocalShop::without(Name::Payment).await;
    let id = order(&shop.gateway()).await;
    let mut browser = Chromium::start().await;
    browser.open(&format!("{}/order/{id}", shop.url(Name::Gateway))).await;
    assert_eq!(browser.eval("'final' in document.getElementById('stand').dataset").await, false);
    browser.eval("window.sameDocument = true").await;

    let step = json!({"status": "CANCELLED", "reason": "the_roof_leaks"});
    let path = format!("/orders/{id}/status");
    support::process::until_async(|| async {
        let answer = shop.client(Name::Order).post(&path, &[], &step).await;
        answer.status == StatusCode::OK
    })
    .await;
    browser.until("'final' in document.getElementById('stand').dataset").await;
    let told = browser.eval("document.getElementById('status').innerText").await;
    assert!(told.as_str().unwrap().contains("cancelled: the roof leaks"), "{told}");
    assert_eq!(browser.eval("window.sameDocument").await, true);
    assert_no_complaints(&browser);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_the_page_of_an_order_is_loaded_again_by_itself() {
    let shop = LocalShop::without(Name::Payment).await;
    let id = order(&shop.gateway()).await;
    let mut browser = Chromium::start().await;
    browser.call("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    browser.open(&format!("{}/order/{id}", shop.url(Name::Gateway))).await;
    // The second time nobody asked for it.
    browser.event("Page.loadEventFired").await;
    let requests = browser.told("Network.requestWillBeSent");
    let of_script =
        |event: &&&Value| event["request"]["url"].as_str().unwrap().ends_with("/status");
    assert_eq!(requests.iter().filter(of_script).count(), 0, "no script ran");
    let document = browser.call("DOM.getDocument", json!({})).await;
    let page = json!({"nodeId": document["root"]["nodeId"]});
    let page = browser.call("DOM.getOuterHTML", page).await;
    assert!(page["outerHTML"].as_str().unwrap().contains("Your order"));
}

/// Each text whose contrast with what is behind it is below 4.5 to 1, the
/// [AA of WCAG 2.2](https://www.w3.org/TR/WCAG22/#contrast-minimum).
const TOO_PALE: &str = r"
(() => {
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = channels(color).slice(0, 3).map((value) => {
      const c = value / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if ((channels(color)[3] ?? 1) > 0) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const texts = [...document.body.querySelectorAll('*')].filter((element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return texts.map((element) => {
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))].sort();
    return [element.textContent.trim(), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
  }).filter(([, ratio]) => ratio < 4.5);
})()";

#[tokio::test(flavor = "multi_thread")]
async fn everybody_can_read_the_pages_and_knows_what_can_be_pressed() {
    let environment = Environment::empty();
    let shop = LocalShop::start_plan(environment, &[Name::Payment]).await;
    let base = shop.url(Name::Gateway);
    let id = order(&shop.gateway()).await;
    let mut browser = Chromium::start().await;
    let paths =
        ["/", "/menu", "/product/prod-001", "/cart", &format!("/order/{id}"), "/product/no"];
    for path in paths {
        browser.open(&format!("{base}{path}")).await;
        for scheme in ["light", "dark"] {
            let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
            browser.call("Emulation.setEmulatedMedia", json!({"features": features})).await;
            assert_eq!(browser.eval(TOO_PALE).await, json!([]), "{path} in {scheme}");
        }
        let order = "[...document.querySelectorAll('[tabindex]')].every((e) => e.tabIndex <= 0)";
        assert_eq!(browser.eval(order).await, true, "{path}: the order of the text is that of Tab");
        let tree = browser.call("Accessibility.getFullAXTree", json!({})).await;
        let can_be_used = ["link", "button", "textbox", "searchbox", "spinbutton"];
        let mut used = 0;
        for node in tree["nodes"].as_array().unwrap() {
            if can_be_used.iter().any(|role| node["role"]["value"] == *role) {
                assert_ne!(
                    node["name"]["value"].as_str().unwrap_or_default(),
                    "",
                    "{path}: {node}"
                );
                used += 1;
            }
        }
        assert!(used >= 5, "{path}");
        // On a narrow window nothing stands out to the side.
        let narrow = json!({"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": true});
        browser.call("Emulation.setDeviceMetricsOverride", narrow).await;
        assert_eq!(
            browser.eval("document.documentElement.scrollWidth <= 320").await,
            true,
            "{path}"
        );
        browser.call("Emulation.clearDeviceMetricsOverride", json!({})).await;
    }
}
