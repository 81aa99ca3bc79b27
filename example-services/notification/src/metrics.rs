use obs_core::metric::{Counter, Descriptor, Recorder, Unit};

/// Messages that were sent.
pub static NOTIFICATIONS_SENT: Descriptor =
    Descriptor::new("NotificationsSent", Unit::Count, "Messages to customers, by channel");

/// What the service counts.
#[derive(Clone, Debug)]
pub struct Metrics {
    email: Counter,
    app: Counter,
}

impl Metrics {
    /// Counts in `recorder`.
    #[must_use]
    pub fn new(recorder: &dyn Recorder) -> Self {
        let channel = |name| recorder.counter(&NOTIFICATIONS_SENT, &[("Channel", name)]);
        Self { email: channel("email"), app: channel("app") }
    }

    pub(crate) fn sent(&self, channel: &str) {
        if channel == "email" { &self.email } else { &self.app }.add(1);
    }
}
