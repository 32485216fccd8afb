//! The command behind `loom-tests/mutate.sh`, which documents the options.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;
use std::{env, fs};

use arcbus_mutate::find::{self, Place};
use arcbus_mutate::mutation::{Mutant, mutants, weakenable};
use arcbus_mutate::report::{Row, Totals, Verdict, page};
use arcbus_mutate::rooms::{Room, Rooms, Survivor};
use arcbus_mutate::run::{End, Model};
use arcbus_mutate::tests_of::Names;
use arcbus_mutate::tree::{Tree, output};
use arcbus_mutate::{Fallible, root};

const USAGE: &str = "usage: loom-tests/mutate.sh [--changed | --room NAME | --list | --readme]";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [] => run(Which::All),
        ["--changed"] => run(Which::Changed),
        ["--room", name] => run(Which::Named(name)),
        ["--readme"] => run(Which::Readme),
        ["--list"] => list(),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// The mutants that the options of the command select.
#[derive(Clone, Copy, PartialEq)]
enum Which<'a> {
    All,
    Named(&'a str),
    Changed,
    /// Selects all mutants, each with every model of its room, to write the page.
    Readme,
}

/// Prints every ordering of the source together with its room.
fn list() -> Fallible<bool> {
    let rooms = Rooms::read(&root())?;
    let places = find::in_folder(&root().join("src"))?;
    for place in &places {
        let room = rooms.of(&place.file).map_or("-", |room| room.name.as_str());
        println!("{room:16}  {place}  {} {}", place.access, place.order);
    }
    let can = weakenable(&places).len();
    println!("{} orderings, {can} of them not Relaxed", places.len());
    Ok(true)
}

fn run(which: Which<'_>) -> Fallible<bool> {
    let root = root();
    let rooms = Rooms::read(&root)?;
    let weakenable = weakenable(&find::in_folder(&root.join("src"))?);
    check_rooms(&rooms, &weakenable)?;
    let mutants = mutants(&weakenable, |file| Some(rooms.of(file)?.name.clone()));
    let chosen = choose(which, &root, &rooms)?;
    println!("rooms: {}", chosen.join(", "));

    let tree = Tree::copy(&root, &weakenable)?;
    let mut runner = Runner::new(&root, &rooms, tree, &chosen, which == Which::Readme)?;
    for mutant in mutants
        .iter()
        .filter(|mutant| chosen.contains(&mutant.room))
    {
        runner.run(mutant)?;
    }
    runner.run_pairs()?;
    let rows = runner.rows;
    if which == Which::Readme {
        let path = root.join("loom-tests/README.md");
        fs::write(
            &path,
            page(&fs::read_to_string(&path)?, &rows, &runner.models),
        )?;
    }
    let stale = stale(&rooms, &rows, &mutants, &chosen);
    for survivor in &stale {
        println!("STALE      {survivor}: no such mutant, or a model kills it");
    }
    let totals = Totals::of(&rows);
    println!("{totals}");
    Ok(totals.is_good() && stale.is_empty())
}

/// Checks that every ordering is in a room, and that every room has an ordering.
fn check_rooms(rooms: &Rooms, weakenable: &[Place]) -> Fallible<()> {
    if let Some(place) = weakenable
        .iter()
        .find(|place| rooms.of(&place.file).is_none())
    {
        return Err(format!("no room has {}: add it to rooms.toml", place.file).into());
    }
    for room in &rooms.room {
        let is_here = |place: &Place| rooms.of(&place.file).is_some_and(|of| of.name == room.name);
        if !weakenable.iter().any(is_here) {
            return Err(format!("no ordering is in the room {}", room.name).into());
        }
    }
    Ok(())
}

fn choose(which: Which<'_>, root: &Path, rooms: &Rooms) -> Fallible<Vec<String>> {
    let chosen: Vec<&Room> = match which {
        Which::All | Which::Readme => rooms.room.iter().collect(),
        Which::Named(name) => {
            let room = rooms.named(name);
            vec![room.ok_or_else(|| format!("no room {name}"))?]
        }
        Which::Changed => {
            let touched = rooms.touched(&changed(root)?);
            let cheap = rooms.room.iter().filter(|room| room.cheap);
            match touched.is_empty() {
                true => cheap.collect(),
                false => touched,
            }
        }
    };
    Ok(chosen.into_iter().map(|room| room.name.clone()).collect())
}

/// Returns the files that differ from main, or on main itself from the commit before. If git knows neither
/// commit, returns the files with uncommitted changes.
fn changed(root: &Path) -> Fallible<Vec<String>> {
    let git = |arguments: &str| {
        output(
            Command::new("git")
                .current_dir(root)
                .args(arguments.split(' ')),
        )
    };
    let head = git("rev-parse HEAD")?;
    let base = git("merge-base HEAD main").or_else(|_| git("merge-base HEAD origin/main"));
    let base = match base {
        Ok(base) if base != head => base,
        _ => git("rev-parse HEAD~1").unwrap_or(head),
    };
    let changed = git(&format!("diff --name-only {}", base.trim()))?;
    Ok(changed.lines().map(str::to_owned).collect())
}

/// Returns the explanations that explain no surviving mutant, except those in rooms that were not chosen.
fn stale(rooms: &Rooms, rows: &[Row], mutants: &[Mutant], chosen: &[String]) -> Vec<String> {
    let explains = |survivor: &Survivor| {
        let mut explained = rows
            .iter()
            .filter(|row| matches!(row.verdict, Verdict::Explained(_)));
        explained.any(|row| survivor.is(&row.mutant))
    };
    let elsewhere = |survivor: &Survivor| {
        let mut near = mutants.iter().filter(|mutant| survivor.is_near(mutant));
        near.any(|mutant| !chosen.contains(&mutant.room))
    };
    let survivors = rooms.survivor.iter();
    let stale = survivors.filter(|survivor| !elsewhere(survivor) && !explains(survivor));
    stale
        .map(|survivor| format!("{}: {}", survivor.place, survivor.mutation))
        .collect()
}

/// A runner of mutants, which keeps the verdict on each.
struct Runner<'a> {
    rooms: &'a Rooms,
    tree: Tree,
    /// The models, ordered from the quickest to the slowest.
    models: Vec<Model>,
    rows: Vec<Row>,
    /// Set to run every model of a room, instead of stopping at the first that fails.
    all: bool,
}

impl<'a> Runner<'a> {
    fn new(
        root: &Path,
        rooms: &'a Rooms,
        tree: Tree,
        chosen: &[String],
        all: bool,
    ) -> Fallible<Self> {
        let chosen = rooms.room.iter().filter(|room| chosen.contains(&room.name));
        let files: BTreeSet<String> = match all {
            true => Names::read(root)?.files,
            false => chosen.flat_map(|room| room.models.clone()).collect(),
        };
        let began = Instant::now();
        let programs = match files.is_empty() {
            true => Vec::new(),
            false => tree.build(&files)?,
        };
        println!("built in {:.0?}", began.elapsed());
        let mut models = Vec::new();
        for (file, program) in &programs {
            models.extend(Model::of_program(file, program, &tree.log())?);
        }
        if !all {
            models.sort_by_key(|model| model.took);
        }
        Ok(Self {
            rooms,
            tree,
            models,
            rows: Vec::new(),
            all,
        })
    }

    fn run(&mut self, mutant: &Mutant) -> Fallible<()> {
        let began = Instant::now();
        let room = self.rooms.named(&mutant.room).expect("the room of a file");
        let (mut killed, mut said) = (Vec::new(), Vec::new());
        for model in &self.models {
            if !room.models.contains(&model.file) || (!self.all && !killed.is_empty()) {
                continue;
            }
            let name = &model.name;
            match model.with(mutant, &self.tree.log())? {
                End::Passed => {}
                End::Failed(_) => killed.push(name.clone()),
                End::Unclear(message) => said.push(format!("{name}: {message}")),
                End::Endless => said.push(format!("{name}: took too long")),
            }
        }
        let verdict = match (killed.is_empty(), self.rooms.reason(mutant)) {
            (false, _) => Verdict::Killed(killed),
            (true, Some(reason)) => Verdict::Explained(reason.to_owned()),
            (true, None) => Verdict::Unexplained(said.join("; ")),
        };
        let row = Row {
            mutant: mutant.clone(),
            verdict,
            took: began.elapsed(),
        };
        println!("{row}");
        self.rows.push(row);
        Ok(())
    }

    /// Runs two survivors of one function together, because each may hide the effect of the other.
    fn run_pairs(&mut self) -> Fallible<()> {
        let survived = self
            .rows
            .iter()
            .filter(|row| !matches!(row.verdict, Verdict::Killed(_)));
        let survived: Vec<Mutant> = survived.map(|row| row.mutant.clone()).collect();
        for (nth, one) in survived.iter().enumerate() {
            for other in &survived[nth + 1..] {
                if let Some(pair) = one.with(other) {
                    self.run(&pair)?;
                }
            }
        }
        Ok(())
    }
}
