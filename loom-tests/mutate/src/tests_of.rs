//! The models of a file of `loom-tests/tests/`, by syntax.

use std::fs;
use std::path::Path;

use crate::Fallible;

/// A test of the code as it is. One that should panic is a weakened twin, and says nothing of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The name of the file.
    pub file: String,
    /// The name of the test.
    pub name: String,
}

/// Finds the models in a file of `loom-tests/tests/` below `root`.
///
/// # Errors
///
/// The file cannot be read or parsed.
pub fn models(root: &Path, file: &str) -> Fallible<Vec<Model>> {
    let path = root.join(format!("loom-tests/tests/{file}.rs"));
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    in_text(file, &text)
}

/// Finds the models in every file of `loom-tests/tests/` below `root`.
///
/// # Errors
///
/// A file cannot be read or parsed.
pub fn all_models(root: &Path) -> Fallible<Vec<Model>> {
    let mut files = Vec::new();
    for entry in root.join("loom-tests/tests").read_dir()? {
        let path = entry?.path();
        files.extend(
            path.file_stem()
                .map(|stem| stem.to_string_lossy().into_owned()),
        );
    }
    files.sort();
    let mut all = Vec::new();
    for file in files {
        all.extend(models(root, &file)?);
    }
    Ok(all)
}

fn in_text(file: &str, text: &str) -> Fallible<Vec<Model>> {
    let parsed = syn::parse_file(text)?;
    let functions = parsed.items.iter().filter_map(|item| match item {
        syn::Item::Fn(function) => Some(function),
        _ => None,
    });
    let has = |function: &syn::ItemFn, name: &str| {
        let mut attrs = function.attrs.iter();
        attrs.any(|attr| attr.path().is_ident(name))
    };
    let models =
        functions.filter(|function| has(function, "test") && !has(function, "should_panic"));
    let named = models.map(|function| Model {
        file: file.to_owned(),
        name: function.sig.ident.to_string(),
    });
    Ok(named.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_and_helpers_are_no_models() {
        let text = "
            fn helper() {}
            #[test] fn model() {}
            #[test] #[should_panic(expected = \"lost\")] fn twin() {}
        ";
        let models = in_text("slots", text).expect("it is Rust");
        let names = models.into_iter().map(|model| model.name);
        assert_eq!(names.collect::<Vec<_>>(), ["model"]);
    }
}
