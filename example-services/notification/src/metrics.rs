use obs_core::metric::{Counter, Descriptor, Recorder, Unit};
use shop_domain::notification::Channel;

/// Messages that were sent.
pub static NOTIFICATIONS_SENT: Descriptor =
    Descriptor::new("NotificationsSent", Unit::Count, "Messages to customers, by channel");

/// What the service counts.
#[derive(Clone, Debug)]
pub struct Metrics {
    email: Counter,
    sms: Counter,
    app: Counter,
}

impl Metrics {
    /// Counts in `recorder`.
    #[must_use]
    pub fn new(recorder: &dyn Recorder) -> Self {
        let channel = |channel: Channel| {
            recorder.counter(&NOTIFICATIONS_SENT, &[("Channel", channel.as_str())])
        };
        Self {
            email: channel(Channel::Email),
            sms: channel(Channel::Sms),
            app: channel(Channel::App),
        }
    }

    pub(crate) fn sent(&self, channel: Channel) {
        match channel {
            Channel::Email => &self.email,
            Channel::Sms => &self.sms,
            Channel::App => &self.app,
        }
        .add(1);
    }
}
