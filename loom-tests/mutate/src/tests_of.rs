//! The names of the models in `loom-tests/tests/`, found by syntax.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::Fallible;

/// The names that the files of the models define.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The names of the files, without the ending `.rs`.
    pub files: BTreeSet<String>,
    /// The tests that are written as functions and should not panic. A test that should panic is a weakened
    /// twin.
    pub models: BTreeSet<String>,
    /// The words in macro calls outside functions, because such macros generate tests.
    pub in_macros: BTreeSet<String>,
    /// The weakened twins that are written as functions.
    pub twins: BTreeSet<String>,
}

impl Names {
    /// Reads the files of the models in the repository at `root`.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read or parsed.
    pub fn read(root: &Path) -> Fallible<Self> {
        let mut names = Self::default();
        for entry in root.join("loom-tests/tests").read_dir()? {
            let path = entry?.path();
            let stem = path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned());
            names.files.extend(stem);
            names.add(&fs::read_to_string(&path)?)?;
        }
        Ok(names)
    }

    /// Returns every name that a page may use to refer to a model.
    #[must_use]
    pub fn all(&self) -> BTreeSet<String> {
        let all = [&self.files, &self.models, &self.in_macros, &self.twins];
        all.into_iter().flatten().cloned().collect()
    }

    fn add(&mut self, text: &str) -> Fallible<()> {
        for item in syn::parse_file(text)?.items {
            match item {
                syn::Item::Fn(function) => self.add_function(&function),
                syn::Item::Macro(item) if item.ident.is_none() => {
                    let tokens = item.mac.tokens.to_string();
                    let words = tokens.split(|c: char| !c.is_alphanumeric() && c != '_');
                    self.in_macros.extend(words.map(str::to_owned));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn add_function(&mut self, function: &syn::ItemFn) {
        let has = |name: &str| {
            let mut attrs = function.attrs.iter();
            attrs.any(|attr| attr.path().is_ident(name))
        };
        let name = function.sig.ident.to_string();
        match (has("test"), has("should_panic")) {
            (true, true) => self.twins.insert(name),
            (true, false) => self.models.insert(name),
            (false, _) => false,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_twins_and_the_words_of_macros_are_told_apart() {
        let text = "
            fn helper() {}
            #[test] fn model() {}
            #[test] #[should_panic(expected = \"lost\")] fn twin() {}
            macro_rules! models { ($name:ident) => { #[test] fn $name() {} }; }
            models! { bus, true: by_macro }
        ";
        let mut names = Names::default();
        names.add(text).expect("it is Rust");
        let named = |name: &str| [name.to_owned()].into();
        assert_eq!(
            (&names.models, &names.twins),
            (&named("model"), &named("twin"))
        );
        assert!(names.in_macros.contains("by_macro"));
    }
}
