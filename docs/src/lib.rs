//! The guides of the suite. Each is mounted as a module, so that its code is compiled and run by
//! `cargo test --package obs-docs`.

#[doc = include_str!("../../README.md")]
pub mod readme {}

#[cfg(test)]
mod tests {
    #[test]
    fn the_readme_shows_the_example_that_is_run() {
        let readme = include_str!("../../README.md");
        let example = include_str!("../examples/orders.rs");
        let code = example.split_once("\n\n").map(|(_doc, code)| code);
        assert!(code.is_some_and(|code| readme.contains(code)), "README.md and orders.rs differ");
    }
}
