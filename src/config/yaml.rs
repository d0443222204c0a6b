//! YAML text to a tree that knows its lines and columns.
//!
//! Scalars stay text: what a number or a time is, the reader of a key decides. Anchors, aliases and merge keys are
//! resolved here; what aliases may blow up to is bounded. Mistakes of the form of the file (duplicate keys, unknown
//! aliases, tags) are collected; a syntax error ends the reading, since nothing after it can be trusted.

use std::{collections::HashMap, ops::Range, rc::Rc};

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::{
    error::{Collector, Position},
    node::{Entry, Kind, Node, join, printable_key},
};

/// Deepest nesting, aliases followed; a configuration has five levels. Also bounds recursion when the tree is dropped.
const MAX_DEPTH: usize = 32;

/// Most values, each alias counted with all it stands for: refuses "billion laughs".
const MAX_VALUES: usize = 100_000;

/// What was read.
pub(super) struct Tree {
    /// None after a syntax error, and for an empty file; both were reported.
    pub(super) root: Option<Rc<Node>>,
    /// Bytes that an excerpt leaves out unless a reader shows them: values and comments.
    pub(super) hidden: Vec<Range<usize>>,
}

/// Reads a text.
pub(super) fn read(text: &str, mistakes: &Collector) -> Tree {
    let options = granit_parser::options! {
        emit_unresolved_aliases: true,
        disallow_directives: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder {
        text,
        mistakes,
        frames: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        documents: 0,
        hidden: Vec::new(),
        reached: 0,
    };
    let outcome = builder.run(Parser::<StrInput<'_>>::new_from_str_with_options(text, options));
    if outcome.is_ok() && builder.root.as_ref().is_none_or(|root| root.is_null()) && mistakes.is_empty() {
        let at = Position { line: 1, column: 1 };
        mistakes.add(at, "", "the file is empty: it needs `streams:` with at least one stream");
        builder.root = None;
    }
    if outcome.is_err() {
        // What was not read may hold a secret anywhere.
        builder.hidden.push(builder.reached..text.len());
    }
    Tree { root: builder.root.filter(|_| outcome.is_ok()), hidden: builder.hidden }
}

/// The reading cannot go on; why was reported.
struct Stop;

struct Builder<'a> {
    text: &'a str,
    mistakes: &'a Collector,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
    documents: usize,
    hidden: Vec<Range<usize>>,
    /// Bytes of the text that are known to be keys and hidden values.
    reached: usize,
}

/// A collection that is not closed yet.
struct Frame {
    at: Position,
    start: usize,
    anchor: usize,
    body: Body,
}

enum Body {
    Seq(Vec<Rc<Node>>),
    Map { entries: Vec<Entry>, key: Option<Key> },
}

struct Key {
    text: String,
    at: Position,
    end: usize,
}

/// A colour without quotes begins a comment, and the parser stumbles only behind it. Looks at the line of a syntax error
/// and the two before.
fn comment_hint(text: &str, line: usize) -> Option<String> {
    let before = text.lines().enumerate().take(line).skip(line.saturating_sub(3));
    let colour = |line: &str| {
        let (_, rest) = line.split_once(": #")?;
        let digits: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
        [3, 6].contains(&digits.len()).then_some(digits)
    };
    let (index, digits) = before.filter_map(|(index, line)| Some((index, colour(line)?))).last()?;
    Some(format!("; in line {}, # begins a comment: write the colour in quotes, \"#{digits}\"", index + 1))
}

impl Builder<'_> {
    fn run<'i>(&mut self, mut parser: Parser<'i, StrInput<'i>>) -> Result<(), Stop> {
        while let Some(next) = parser.next_event() {
            let (event, span) = next.map_err(|error| {
                let mark = error.marker();
                let at = Position { line: mark.line(), column: mark.col() + 1 };
                let hint = comment_hint(self.text, at.line).unwrap_or_default();
                self.mistakes.add(at, "", format!("not YAML: {}{hint}", error.info()));
                Stop
            })?;
            self.event(event, span)?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        let (at, bytes) = (position(span), span.byte_range().unwrap_or_default());
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.mistakes.add(
                        at,
                        "",
                        "a second document begins: remove the `---`, one file is one document",
                    );
                    return Err(Stop);
                }
            }
            Event::Comment(..) => self.hidden.push(bytes),
            Event::Scalar(text, style, anchor, tag) => {
                self.check_tag(at, tag.as_deref());
                let one_line = self.text.get(bytes.clone()).is_some_and(|raw| !raw.contains('\n'));
                let plain = style == ScalarStyle::Plain;
                let kind = Kind::Scalar { text: text.into_owned(), plain, one_line };
                self.node(Node::new(at, bytes, kind), anchor)?;
            }
            Event::Alias(id) => self.alias(at, bytes, id)?,
            Event::UnresolvedAlias(_) => {
                let message = "no such anchor before this alias; a text that begins with * must be quoted";
                self.mistakes.add(at, self.path(), message);
                let kind = Kind::Scalar { text: String::new(), plain: true, one_line: true };
                self.node(Node::new(at, bytes, kind), 0)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(at, tag.as_deref());
                self.frames.push(Frame { at, start: bytes.start, anchor, body: Body::Seq(Vec::new()) });
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(at, tag.as_deref());
                let body = Body::Map { entries: Vec::new(), key: None };
                self.frames.push(Frame { at, start: bytes.start, anchor, body });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(bytes.end)?,
            _ => {}
        }
        Ok(())
    }

    fn alias(&mut self, at: Position, bytes: Range<usize>, id: usize) -> Result<(), Stop> {
        self.hidden.push(bytes.clone());
        let Some(node) = self.anchors.get(&id).cloned() else {
            self.mistakes.add(at, self.path(), "an alias inside the value it stands for");
            return Err(Stop);
        };
        self.attach(at, bytes, node)
    }

    fn close(&mut self, end: usize) -> Result<(), Stop> {
        let path = self.path();
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let kind = match frame.body {
            Body::Seq(items) => Kind::Seq(items),
            Body::Map { entries, .. } => Kind::Map(self.merged(entries, &path)),
        };
        self.node(Node::new(frame.at, frame.start..end, kind), frame.anchor)
    }

    /// A finished value.
    fn node(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        let (at, span) = (node.at, node.span.clone());
        if node.depth() > MAX_DEPTH {
            self.mistakes.add(at, self.path(), format!("nested deeper than {MAX_DEPTH} levels"));
            return Err(Stop);
        }
        if node.values() > MAX_VALUES {
            self.mistakes.add(
                at,
                self.path(),
                format!("its aliases stand for more than {MAX_VALUES} values"),
            );
            return Err(Stop);
        }
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.attach(at, span, node)
    }

    /// Puts a value where the file has it: at `at`, which for an alias is not where the value was written.
    fn attach(&mut self, at: Position, span: Range<usize>, node: Rc<Node>) -> Result<(), Stop> {
        self.reached = self.reached.max(match node.kind {
            Kind::Scalar { .. } => span.end,
            Kind::Seq(_) | Kind::Map(_) => 0,
        });
        let hidden = matches!(node.kind, Kind::Scalar { .. }).then(|| span.clone());
        let path = self.path();
        let Some(frame) = self.frames.last_mut() else {
            self.hidden.extend(hidden);
            self.root = Some(node);
            return Ok(());
        };
        match &mut frame.body {
            Body::Seq(items) => {
                items.push(node);
                self.hidden.extend(hidden);
            }
            Body::Map { key: key @ None, .. } => {
                let text = match &node.kind {
                    Kind::Scalar { text, .. } => text.clone(),
                    Kind::Seq(_) | Kind::Map(_) => {
                        self.mistakes.add(at, path, "a key must be a single word");
                        return Err(Stop);
                    }
                };
                if printable_key(&text) != text {
                    self.hidden.push(span.clone());
                }
                *key = Some(Key { text, at, end: span.end });
            }
            Body::Map { entries, key } => {
                let Some(key) = key.take() else { return Ok(()) };
                let region = behind_colon(self.text, key.end).min(span.start)..span.end;
                if hidden.is_some() {
                    self.hidden.push(region.clone());
                }
                entries.push(Entry { key: key.text, key_at: key.at, region, value: node });
            }
        }
        Ok(())
    }

    /// Applies `<<` and refuses keys given twice, which stay, so that what is wrong in both is found at once.
    fn merged(&self, entries: Vec<Entry>, path: &str) -> Vec<Entry> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut own = Vec::new();
        let mut bases = Vec::new();
        for entry in entries {
            if let Some(line) = seen.get(&entry.key) {
                let path = join(path, &printable_key(&entry.key));
                self.mistakes.add(
                    entry.key_at,
                    path,
                    format!("is given twice, first on line {line}: remove one"),
                );
            } else {
                seen.insert(entry.key.clone(), entry.key_at.line);
            }
            if entry.key != "<<" {
                own.push(entry);
                continue;
            }
            match &entry.value.kind {
                Kind::Map(_) => bases.push(Rc::clone(&entry.value)),
                Kind::Seq(items) if items.iter().all(|item| matches!(item.kind, Kind::Map(_))) => {
                    bases.extend(items.iter().cloned());
                }
                _ => self.mistakes.add(
                    entry.value.at,
                    join(path, "<<"),
                    "must be an alias of a map, such as *base",
                ),
            }
        }
        for base in bases {
            let Kind::Map(inherited) = &base.kind else { continue };
            for entry in inherited {
                if seen.insert(entry.key.clone(), entry.key_at.line).is_none() {
                    own.push(entry.clone());
                }
            }
        }
        own
    }

    fn check_tag(&self, at: Position, tag: Option<&Tag>) {
        if tag.is_some_and(|tag| !tag.is_yaml_core_schema()) {
            self.mistakes.add(
                at,
                self.path(),
                "tags have no meaning here; a text that begins with ! must be quoted",
            );
        }
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for frame in &self.frames {
            match &frame.body {
                Body::Seq(items) => path.push_str(&format!("[{}]", items.len())),
                Body::Map { key: Some(key), .. } => path = join(&path, &printable_key(&key.text)),
                Body::Map { key: None, .. } => {}
            }
        }
        path
    }
}

fn position(span: Span) -> Position {
    Position { line: span.start.line(), column: span.start.col() + 1 }
}

/// Skips blanks, a colon, and blanks: where the value of a key begins, its anchor and tag included.
fn behind_colon(text: &str, from: usize) -> usize {
    let blank = |c: char| c == ' ' || c == '\t';
    let Some(rest) = text.get(from..) else { return from };
    let rest = rest.trim_start_matches(blank);
    let rest = rest.strip_prefix(':').unwrap_or(rest).trim_start_matches(blank);
    text.len() - rest.len()
}
