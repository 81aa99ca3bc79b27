//! What every service of a layer offers.

/// Access to the service inside, for a struct with a field `inner` of type `S`.
macro_rules! inner_accessors {
    () => {
        /// The service inside.
        #[must_use]
        pub const fn get_ref(&self) -> &S {
            &self.inner
        }

        /// The service inside.
        #[must_use]
        pub const fn get_mut(&mut self) -> &mut S {
            &mut self.inner
        }

        /// Takes the service out of its layer.
        #[must_use]
        pub fn into_inner(self) -> S {
            self.inner
        }
    };
}
