//! The modules of a source tree, what each declares and imports, and which file holds the target of a path.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
};

use crate::tokens::{Token, tokens};

/// Names from the crate's root on: of a module, or of an item.
pub(crate) type Names = Vec<String>;

/// Longest chain of re-exports that is followed; one that leads back to itself ends here.
const MOST_STEPS: usize = 16;

/// Words that an item's name follows.
const ITEMS: [&str; 7] = ["fn", "struct", "enum", "trait", "type", "const", "static"];

/// A module, of a file of its own or inline.
#[derive(Debug, Default)]
struct Module {
    file: PathBuf,
    items: BTreeSet<String>,
    children: BTreeSet<String>,
    /// By the name that it has here, what each `use` of the module leads to. One name can lead to several
    /// things, for different systems.
    imports: BTreeMap<String, Vec<Names>>,
    globs: Vec<Names>,
}

/// A path that leads from a file to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) from: PathBuf,
    pub(crate) line: usize,
    pub(crate) to: PathBuf,
    /// The path as it is written.
    pub(crate) path: String,
}

/// A path as it is written in a module.
#[derive(Debug)]
struct Written {
    module: Names,
    line: usize,
    names: Names,
}

/// The modules of a source tree, without those that exist only in tests.
#[derive(Debug, Default)]
pub(crate) struct ModuleTree {
    modules: BTreeMap<Names, Module>,
    tests: Vec<Names>,
    written: Vec<Written>,
}

impl ModuleTree {
    /// Reads files, given with their paths below `src`. The crate's roots are left out.
    pub(crate) fn new<'a>(files: impl IntoIterator<Item = (&'a Path, &'a str)>) -> Self {
        let mut tree = Self::default();
        for (file, text) in files {
            let names = module_names(file);
            if !names.is_empty() {
                Scanner::new(&mut tree, file, names).scan(&tokens(text));
            }
        }
        let Self { modules, tests, written } = &mut tree;
        let is_test = |names: &Names| tests.iter().any(|test| names.starts_with(test));
        modules.retain(|names, _| !is_test(names));
        written.retain(|written| !is_test(&written.module));
        tree
    }

    /// Returns all paths that lead from one file to another.
    pub(crate) fn references(&self) -> Vec<Reference> {
        let mut found = Vec::new();
        for Written { module, line, names } in &self.written {
            let from = &self.modules[module].file;
            let targets: BTreeSet<_> = self.targets(module, names, 0).into_iter().collect();
            for to in targets.into_iter().filter(|to| to != from) {
                let path = names.join("::");
                found.push(Reference { from: from.clone(), line: *line, to, path });
            }
        }
        found
    }

    /// Returns the files that hold what a path written in `module` leads to; none outside the crate.
    fn targets(&self, module: &Names, path: &[String], steps: usize) -> Vec<PathBuf> {
        if steps > MOST_STEPS {
            return Vec::new();
        }
        let Some((first, rest)) = path.split_first() else { return Vec::new() };
        match first.as_str() {
            "crate" => self.holders(&Names::new(), rest, steps),
            "self" if rest.first().is_some_and(|next| next == "super") => {
                self.targets(module, rest, steps + 1)
            }
            "self" => self.holders(module, rest, steps),
            "super" => {
                let mut above = module.clone();
                above.pop();
                match rest.first() {
                    Some(next) if next == "super" => self.targets(&above, rest, steps + 1),
                    _ => self.holders(&above, rest, steps),
                }
            }
            _ if self.declares(module, first, steps) => self.holders(module, path, steps),
            _ => Vec::new(),
        }
    }

    /// Returns the files that hold what `path` leads to from a module on: the file of the module that the
    /// path ends at, or of the module that has its item. What that module only imports is looked for where
    /// the import leads.
    fn holders(&self, module: &Names, path: &[String], steps: usize) -> Vec<PathBuf> {
        let here = || self.modules.get(module).map(|module| module.file.clone()).into_iter().collect();
        let Some((first, rest)) = path.split_first() else { return here() };
        let child: Names = module.iter().chain([first]).cloned().collect();
        if self.modules.contains_key(&child) {
            return self.holders(&child, rest, steps);
        }
        let Some(found) = self.modules.get(module).filter(|found| !found.items.contains(first)) else {
            return here();
        };
        let named = found.imports.get(first).into_iter().flatten();
        let named = named.flat_map(|import| {
            let path: Names = import.iter().chain(rest).cloned().collect();
            self.targets(module, &path, steps + 1)
        });
        let named: Vec<_> = named.collect();
        if !named.is_empty() {
            return named;
        }
        for glob in &found.globs {
            if let Some(from) = self.module_at(module, glob, steps)
                && from != *module
                && self.declares(&from, first, steps + 1)
            {
                return self.holders(&from, path, steps + 1);
            }
        }
        // Also what comes from another crate.
        here()
    }

    /// Whether a module has something of this name, by itself or by an import.
    fn declares(&self, module: &Names, name: &str, steps: usize) -> bool {
        let Some(found) = self.modules.get(module).filter(|_| steps <= MOST_STEPS) else { return false };
        found.items.contains(name)
            || found.children.contains(name)
            || found.imports.contains_key(name)
            || found.globs.iter().any(|glob| {
                let from = self.module_at(module, glob, steps + 1);
                from.is_some_and(|from| from != *module && self.declares(&from, name, steps + 1))
            })
    }

    /// Returns the module that a path written in `module` is one of.
    fn module_at(&self, module: &Names, path: &[String], steps: usize) -> Option<Names> {
        let (first, rest) = path.split_first().filter(|_| steps <= MOST_STEPS)?;
        let mut at = match first.as_str() {
            "crate" => Names::new(),
            "self" => module.clone(),
            "super" => module[..module.len().checked_sub(1)?].to_vec(),
            _ => {
                let child: Names = module.iter().chain([first]).cloned().collect();
                if self.modules.contains_key(&child) {
                    child
                } else {
                    let import = self.modules.get(module)?.imports.get(first)?.first()?;
                    self.module_at(module, import, steps + 1)?
                }
            }
        };
        for name in rest {
            if name == "super" {
                at.pop()?;
            } else {
                at.push(name.clone());
            }
        }
        self.modules.contains_key(&at).then_some(at)
    }
}

/// Returns the names of a file's module: `bus/ingest.rs` is `bus::ingest`, `bus/mod.rs` is `bus`. The crate's
/// roots have none.
fn module_names(file: &Path) -> Names {
    let names = file.with_extension("");
    let mut names: Names = names
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect();
    match names.last().map(String::as_str) {
        Some("mod") => drop(names.pop()),
        Some("lib" | "main") if names.len() == 1 => names.clear(),
        _ => {}
    }
    names
}

/// Reads one file.
struct Scanner<'a> {
    tree: &'a mut ModuleTree,
    /// The module that is read, and those around it; `None` stands for braces that are no module's.
    braces: Vec<Option<String>>,
    base: Names,
    file: &'a Path,
}

impl<'a> Scanner<'a> {
    fn new(tree: &'a mut ModuleTree, file: &'a Path, base: Names) -> Self {
        let mut scanner = Self { tree, braces: Vec::new(), base, file };
        scanner.module();
        scanner
    }

    fn names(&self) -> Names {
        self.base.iter().chain(self.braces.iter().flatten()).cloned().collect()
    }

    fn module(&mut self) -> &mut Module {
        let names = self.names();
        let module = self.tree.modules.entry(names).or_default();
        self.file.clone_into(&mut module.file);
        module
    }

    fn write(&mut self, line: usize, names: Names) {
        let module = self.names();
        self.tree.written.push(Written { module, line, names });
    }

    fn scan(&mut self, tokens: &[Token]) {
        let word = |at: usize| tokens.get(at).map_or("", |(_, text)| text.as_str());
        // Whether the item that follows exists in tests only, and whether it is visible outside its module.
        let (mut in_tests, mut visible) = (false, false);
        let mut at = 0;
        while at < tokens.len() {
            let is_item = self.braces.iter().all(Option::is_some);
            match word(at) {
                "#" => {
                    let end = attribute_end(tokens, at);
                    in_tests |= is_test_only(&tokens[at..end]);
                    self.paths(&tokens[at..end]);
                    at = end;
                    continue;
                }
                "pub" => {
                    visible = true;
                    at = if word(at + 1) == "(" { closing(tokens, at + 1) + 1 } else { at + 1 };
                    continue;
                }
                "mod" if is_item && word(at + 2) == "{" => {
                    let name = word(at + 1).to_owned();
                    if in_tests {
                        at = closing(tokens, at + 2) + 1;
                    } else {
                        self.module().children.insert(name.clone());
                        self.braces.push(Some(name));
                        self.module();
                        at += 3;
                    }
                }
                "mod" if is_item && word(at + 2) == ";" => {
                    let name = word(at + 1).to_owned();
                    if in_tests {
                        let names = self.names().into_iter().chain([name]).collect();
                        self.tree.tests.push(names);
                    } else {
                        self.module().children.insert(name);
                    }
                    at += 3;
                }
                // Not the `use<…>` of a bound.
                "use" if word(at + 1) != "<" => {
                    let end = (at..tokens.len()).find(|at| word(*at) == ";").unwrap_or(tokens.len());
                    self.import(&tokens[at + 1..end], is_item, visible);
                    at = end + 1;
                }
                "{" => {
                    self.braces.push(None);
                    at += 1;
                }
                "}" => {
                    self.braces.pop();
                    at += 1;
                }
                item if is_item && ITEMS.contains(&item) => {
                    let name = if word(at + 1) == "mut" { word(at + 2) } else { word(at + 1) };
                    self.module().items.insert(name.to_owned());
                    at += 1;
                }
                "macro_rules" if is_item => {
                    self.module().items.insert(word(at + 2).to_owned());
                    at += 1;
                }
                _ => at = self.path(tokens, at),
            }
            (in_tests, visible) = (false, false);
        }
    }

    fn paths(&mut self, tokens: &[Token]) {
        let mut at = 0;
        while at < tokens.len() {
            at = self.path(tokens, at);
        }
    }

    /// Takes a path of several names, if one starts here. Returns where to read on.
    fn path(&mut self, tokens: &[Token], start: usize) -> usize {
        let is_mark = |at: usize, mark: &str| tokens.get(at).is_some_and(|(_, text)| text == mark);
        let starts = start == 0 || !(is_mark(start - 1, "::") || is_mark(start - 1, "."));
        let mut end = start + 1;
        if !starts || !is_word(&tokens[start].1) {
            return end;
        }
        let mut names = vec![tokens[start].1.clone()];
        while is_mark(end, "::") && tokens.get(end + 1).is_some_and(|(_, text)| is_word(text)) {
            names.push(tokens[end + 1].1.clone());
            end += 2;
        }
        if names.len() > 1 {
            self.write(tokens[start].0, names);
        }
        end
    }

    /// Takes a `use`: a re-export is followed where it is used, any other counts where it stands.
    fn import(&mut self, tokens: &[Token], is_item: bool, visible: bool) {
        let mut leaves = Vec::new();
        use_leaves(tokens, &mut 0, &Names::new(), &mut leaves);
        for Leaf { line, mut names, alias } in leaves {
            let glob = names.last().is_some_and(|name| name == "*");
            if glob {
                names.pop();
            }
            if is_item && glob {
                self.module().globs.push(names.clone());
            } else if is_item && let Some(name) = alias.or_else(|| names.last().cloned()) {
                self.module().imports.entry(name).or_default().push(names.clone());
            }
            if !(is_item && visible) {
                self.write(line, names);
            }
        }
    }
}

/// One path of a `use`.
struct Leaf {
    line: usize,
    names: Names,
    alias: Option<String>,
}

/// Reads the paths of a `use` or of a group in it.
fn use_leaves(tokens: &[Token], at: &mut usize, prefix: &Names, found: &mut Vec<Leaf>) {
    let mut names = prefix.clone();
    while let Some((line, text)) = tokens.get(*at) {
        *at += 1;
        match text.as_str() {
            "::" => continue,
            "{" => {
                while tokens.get(*at).is_some_and(|(_, text)| text != "}") {
                    use_leaves(tokens, at, &names, found);
                    if tokens.get(*at).is_some_and(|(_, text)| text == ",") {
                        *at += 1;
                    }
                }
                *at += 1;
                return;
            }
            "self" if !names.is_empty() => {}
            word => names.push(word.to_owned()),
        }
        let next = tokens.get(*at).map(|(_, text)| text.as_str());
        if next == Some("::") {
            continue;
        }
        let alias = (next == Some("as")).then(|| tokens.get(*at + 1).map(|(_, text)| text.clone())).flatten();
        if alias.is_some() {
            *at += 2;
        }
        found.push(Leaf { line: *line, names, alias });
        return;
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Returns the position behind an attribute.
fn attribute_end(tokens: &[Token], start: usize) -> usize {
    let open = (start..tokens.len().min(start + 3)).find(|at| tokens[*at].1 == "[");
    open.map_or(start + 1, |open| closing(tokens, open) + 1).min(tokens.len())
}

/// Returns the position of the bracket that closes the one at `open`.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, (_, text)) in tokens.iter().enumerate().skip(open) {
        match text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

/// Whether an attribute is `#[cfg(test)]`, or one for tests on some system.
fn is_test_only(attribute: &[Token]) -> bool {
    let words: Vec<_> = attribute.iter().map(|(_, text)| text.as_str()).collect();
    match words.as_slice() {
        ["#", "[", "cfg", "(", "test", ")", "]"] => true,
        ["#", "[", "cfg", "(", "all", "(", rest @ ..] => {
            rest.first() == Some(&"test") || rest.windows(2).any(|pair| pair == [",", "test"])
        }
        _ => false,
    }
}
