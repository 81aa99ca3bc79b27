use obs_core::control::{Action, Health, Kind};

/// Something that happened to the service's health.
///
/// ```
/// use obs_health::Event;
///
/// fn tell(event: &Event<'_>) -> String {
///     match event {
///         Event::DependencyChanged { name, to, .. } => format!("{name} is {to:?} now"),
///         Event::DrainBegan => "the drain began".to_owned(),
///         other => format!("{other:?}"),
///     }
/// }
/// assert_eq!(tell(&Event::DrainBegan), "the drain began");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A dependency reads differently now; `None` is a dependency that was still starting.
    DependencyChanged {
        /// The dependency's name.
        name: &'a str,
        /// Whether the service is not ready without it.
        is_required: bool,
        /// How it read before.
        from: Option<Health>,
        /// How it reads now.
        to: Option<Health>,
        /// What the check said.
        output: Option<&'a str>,
    },
    /// The service stops taking new work: readiness fails from now on.
    DrainBegan,
    /// An operator's action was carried out.
    ActionApplied {
        /// What the control is.
        kind: Kind,
        /// The control's name.
        name: &'a str,
        /// What was asked.
        action: &'a Action,
    },
    /// An action was refused, for want of authority or because it breaks a rule.
    ActionRefused {
        /// What the control would be.
        kind: Kind,
        /// The name as it was asked for; at most 128 bytes without control characters.
        name: &'a str,
        /// The status of the refusal.
        status: u16,
    },
}

/// Is told of every [`Event`]; runs on the task that caused it, outside any lock, and must not
/// block.
///
/// ```
/// use obs_health::{Event, HealthRegistry, Observer};
///
/// struct Pager;
///
/// impl Observer for Pager {
///     fn on_event(&self, event: &Event<'_>) {
///         if let Event::DependencyChanged { name, is_required: true, .. } = event {
///             eprintln!("look at {name}");
///         }
///     }
/// }
///
/// let health = HealthRegistry::builder("orders").observer(Pager).build()?;
/// health.begin_drain();
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
pub trait Observer: Send + Sync + 'static {
    /// Takes note of `event`.
    fn on_event(&self, event: &Event<'_>);
}

impl Observer for () {
    fn on_event(&self, _: &Event<'_>) {}
}

impl<F: Fn(&Event<'_>) + Send + Sync + 'static> Observer for F {
    fn on_event(&self, event: &Event<'_>) {
        self(event);
    }
}
