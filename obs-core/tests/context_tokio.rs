//! The spawning helpers on tokio.
#![cfg(feature = "tokio")]

use obs_core::context::{self, InCurrentContext, JoinSetExt, RequestContext};
use obs_core::environment::Environment;
use obs_core::output::Output;
use obs_core::telemetry::Telemetry;
use tokio::task::{JoinSet, yield_now};

fn request(user: &str) -> RequestContext {
    let (output, _captured) = Output::captured();
    let telemetry = Telemetry::builder("orders")
        .environment(Environment::empty())
        .output(output)
        .build()
        .expect("the settings are valid");
    let request = RequestContext::builder(&telemetry).build();
    assert!(request.set_user_id(user));
    request
}

fn user() -> Option<String> {
    RequestContext::with_current(|request| request.user_id().map(str::to_owned)).flatten()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_spawned_with_the_helpers_belong_to_the_request() {
    let expected = Some("ann".to_owned());
    request("ann")
        .scope(async {
            let across_awaits = async {
                yield_now().await;
                user()
            };
            assert_eq!(context::spawn(across_awaits).await.unwrap(), expected);
            assert_eq!(context::spawn_blocking(user).await.unwrap(), expected);
            let named = tokio::spawn(async { user() }.in_current_context());
            assert_eq!(named.await.unwrap(), expected);

            let mut set = JoinSet::new();
            set.spawn_in_context(async { user() });
            set.spawn_blocking_in_context(user);
            assert_eq!(set.join_all().await, [expected.clone(), expected.clone()]);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_spawned_without_them_belong_to_no_request() {
    request("ann")
        .scope(async {
            assert_eq!(tokio::spawn(async { user() }).await.unwrap(), None);
            assert_eq!(tokio::task::spawn_blocking(user).await.unwrap(), None);
            let mut set = JoinSet::new();
            set.spawn(async { user() });
            assert_eq!(set.join_all().await, [None]);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_requests_on_few_threads_never_mix() {
    let mut set = JoinSet::new();
    for number in 0..200 {
        let name = format!("user-{number}");
        set.spawn(request(&name).scope(async move {
            for _ in 0..20 {
                assert_eq!(user().as_deref(), Some(&*name));
                yield_now().await;
            }
        }));
        set.spawn(async {
            for _ in 0..20 {
                assert_eq!(user(), None);
                yield_now().await;
            }
        });
    }
    while let Some(ended) = set.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_branches_of_select_belong_to_the_request() {
    request("ann")
        .scope(async {
            let late = tokio::time::sleep(std::time::Duration::from_secs(1));
            tokio::select! {
                () = late => unreachable!("the other branch is ready"),
                seen = async { yield_now().await; user() } => assert_eq!(seen.as_deref(), Some("ann")),
            }
        })
        .await;
}
