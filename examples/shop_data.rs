//! Writes the lines that the shop example reads, including invalid lines.
//!
//! ```text
//! cargo run --release -p arcbus-examples --bin shop_data > examples/data/shop.jsonl
//! ```
//!
//! The lines are identical each time, because the random generator has a fixed seed. The program
//! keeps its own records of stock and orders, and therefore knows which order succeeds and why a
//! line is invalid.

use std::io::{self, BufWriter, Write};

/// Numbers of users and products before the shop opens, and the number of lines that follow.
const USERS: u64 = 300;
const PRODUCTS: u64 = 200;
const LINES: u64 = 23_500;

fn main() -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    generate(&mut out)?;
    out.flush()
}

/// Writes all lines of the file, from the first user to the last query.
fn generate(out: &mut impl Write) -> io::Result<()> {
    let mut shop = Shadow::new(0x5EED);
    for _ in 0..USERS {
        writeln!(out, "{}", shop.create_user())?;
    }
    for _ in 0..PRODUCTS {
        writeln!(out, "{}", shop.create_product())?;
    }
    for _ in 0..LINES {
        writeln!(out, "{}", shop.line())?;
    }
    Ok(())
}

/// The state of the shop as this program tracks it, where all numbers begin at 1.
struct Shadow {
    dice: Dice,
    users: u64,
    /// Number of pieces in stock of each product, as left by the lines so far.
    stock: Vec<i64>,
    orders: Vec<Placed>,
}

#[derive(Clone, Copy)]
struct Placed {
    product: usize,
    quantity: i64,
    cancelled: bool,
}

impl Shadow {
    fn new(seed: u64) -> Self {
        Self {
            dice: Dice(seed),
            users: 0,
            stock: Vec::new(),
            orders: Vec::new(),
        }
    }

    /// Returns a random line of a day's business.
    fn line(&mut self) -> String {
        match self.dice.below(100) {
            0..6 => self.create_user(),
            6..9 => self.create_product(),
            9..18 => self.deliver(),
            18..45 => self.place(),
            45..49 => self.cancel(),
            49..60 => self.ask("user.get", "id", self.users),
            60..76 => self.ask("product.get", "id", self.stock.len() as u64),
            76..86 => self.ask("order.get", "id", self.orders.len() as u64),
            86..93 => self.ask("order.list", "user", self.users),
            93..98 => self.refused(),
            _ => self.malformed(),
        }
    }

    fn create_user(&mut self) -> String {
        self.users += 1;
        let (first, last) = (self.dice.pick(&FIRST_NAMES), self.dice.pick(&LAST_NAMES));
        let email = format!("{first}.{last}{}@example.org", self.users).to_lowercase();
        user(&format!("{first} {last}"), &email)
    }

    fn create_product(&mut self) -> String {
        let name = format!("{} {}", self.dice.pick(&LOOKS), self.dice.pick(&GOODS));
        let price = 99 + 50 * self.dice.below(400);
        let scarce = self.dice.below(5) == 0;
        let stock = self.dice.below(if scarce { 4 } else { 150 });
        self.stock.push(stock as i64);
        format!(r#"{{"type":"product.create","name":"{name}","price":{price},"stock":{stock}}}"#)
    }

    fn deliver(&mut self) -> String {
        let product = self.product();
        let change = 5 + self.dice.below(40) as i64;
        self.stock[product] += change;
        stock(product, change)
    }

    /// Returns an order that succeeds, or a delivery if the product is sold out.
    fn place(&mut self) -> String {
        let product = self.product();
        let quantity = 1 + self.dice.below(5) as i64;
        if self.stock[product] < quantity {
            return self.deliver();
        }
        self.stock[product] -= quantity;
        self.orders.push(Placed {
            product,
            quantity,
            cancelled: false,
        });
        order(self.user(), product as u64 + 1, quantity)
    }

    /// Returns the cancellation of an open order, or an order if the random one was cancelled
    /// before.
    fn cancel(&mut self) -> String {
        match self.draw_order() {
            Some(index) if !self.orders[index].cancelled => {
                let Placed {
                    product, quantity, ..
                } = self.orders[index];
                self.orders[index].cancelled = true;
                self.stock[product] += quantity;
                asking("order.cancel", "order", index as u64 + 1)
            }
            _ => self.place(),
        }
    }

    /// Returns a query about one of the first `count` items, or about a user if there are none.
    fn ask(&mut self, message: &str, field: &str, count: u64) -> String {
        if count == 0 {
            return asking("user.get", "id", self.user());
        }
        asking(message, field, 1 + self.dice.below(count))
    }

    /// Returns a valid message that the shop rejects.
    fn refused(&mut self) -> String {
        let nobody = 1_000_000 + self.dice.below(1000);
        let product = self.product();
        match self.dice.below(14) {
            0 => order(nobody, product as u64 + 1, 1),
            1 => order(self.user(), nobody, 1),
            2 | 3 => self.oversell(),
            4 => self.cancel_again(),
            5 => asking("order.cancel", "order", nobody),
            6 => order(
                self.user(),
                product as u64 + 1,
                -1 - self.dice.below(5) as i64,
            ),
            7 => order(
                self.user(),
                product as u64 + 1,
                101 + self.dice.below(900) as i64,
            ),
            8 => user("Nobody", self.dice.pick(&BAD_EMAILS)),
            9 => self.email_again(),
            10 => asking("user.get", "id", nobody),
            11 => asking("product.get", "id", nobody),
            12 => asking("order.list", "user", nobody),
            _ => stock(product, -1_000 - self.dice.below(1_000) as i64),
        }
    }

    /// Returns an order of more pieces than are in stock, but too few to need an approval.
    fn oversell(&mut self) -> String {
        let product = self.product();
        let quantity = self.stock[product] + 1;
        if quantity > 100 {
            return stock(product, -1_000_000);
        }
        order(self.user(), product as u64 + 1, quantity)
    }

    fn cancel_again(&mut self) -> String {
        match self.orders.iter().rposition(|order| order.cancelled) {
            Some(index) => asking("order.cancel", "order", index as u64 + 1),
            None => self.cancel(),
        }
    }

    /// Returns the e-mail address of the first user, which is the same in every run.
    fn email_again(&mut self) -> String {
        let mut first = Shadow::new(0x5EED);
        first.create_user()
    }

    /// Returns a line that contains no valid message.
    fn malformed(&mut self) -> String {
        let id = self.user();
        match self.dice.below(12) {
            0 => format!(r#"{{"type":"user.get","id":{id}"#),
            1 => format!(r#"{{"type":"user.get" "id":{id}}}"#),
            2 => format!("user.get {id}"),
            3 => format!(r#"["order.get",{id}]"#),
            4 => asking("user.delete", "id", id),
            5 => format!(r#"{{"id":{id}}}"#),
            6 => format!(r#"{{"type":"order.place","user":{id},"quantity":1}}"#),
            7 => format!(r#"{{"type":"user.create","name":"Nobody {id}"}}"#),
            8 => format!(r#"{{"type":"user.get","id":"{id}"}}"#),
            9 => format!(r#"{{"type":"order.place","user":{id},"product":1.5,"quantity":1}}"#),
            10 => format!(r#"{{"type":"order.get","id":-{id}}}"#),
            _ => format!(r#"{{"type":"user.get","id":{id}99999999999999999999}}"#),
        }
    }

    fn user(&mut self) -> u64 {
        1 + self.dice.below(self.users)
    }

    fn product(&mut self) -> usize {
        self.dice.below(self.stock.len() as u64) as usize
    }

    fn draw_order(&mut self) -> Option<usize> {
        let count = self.orders.len() as u64;
        (count > 0).then(|| self.dice.below(count) as usize)
    }
}

fn user(name: &str, email: &str) -> String {
    format!(r#"{{"type":"user.create","name":"{name}","email":"{email}"}}"#)
}

/// Returns a change of the stock of `product`, which counts from 0.
fn stock(product: usize, change: i64) -> String {
    let product = product + 1;
    format!(r#"{{"type":"stock.update","product":{product},"change":{change}}}"#)
}

fn order(user: u64, product: u64, quantity: i64) -> String {
    format!(r#"{{"type":"order.place","user":{user},"product":{product},"quantity":{quantity}}}"#)
}

fn asking(message: &str, field: &str, id: u64) -> String {
    format!(r#"{{"type":"{message}","{field}":{id}}}"#)
}

/// A SplitMix64 generator (Steele, Lea and Flood, 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number below `bound`, which must not be zero. For a small bound, the distribution
    /// is nearly even.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words[self.below(words.len() as u64) as usize]
    }
}

const FIRST_NAMES: [&str; 16] = [
    "Ada", "Alan", "Barbara", "Dennis", "Edsger", "Frances", "Grace", "Hedy", "Ivan", "Jean",
    "Ken", "Leslie", "Margaret", "Niklaus", "Radia", "Tony",
];
const LAST_NAMES: [&str; 16] = [
    "Allen",
    "Bartik",
    "Byron",
    "Dijkstra",
    "Hamilton",
    "Hoare",
    "Hopper",
    "Lamarr",
    "Lamport",
    "Liskov",
    "Perlman",
    "Ritchie",
    "Sutherland",
    "Thompson",
    "Turing",
    "Wirth",
];
const LOOKS: [&str; 12] = [
    "Plain", "Blue", "Green", "Folding", "Heavy", "Light", "Small", "Large", "Oak", "Steel",
    "Woollen", "Glass",
];
const GOODS: [&str; 16] = [
    "lamp", "chair", "table", "kettle", "mug", "blanket", "shelf", "clock", "bowl", "mirror",
    "basket", "ladder", "pan", "stool", "vase", "tray",
];
const BAD_EMAILS: [&str; 6] = [
    "nobody",
    "@example.org",
    "nobody@",
    "nobody@example",
    "no body@example.org",
    "nobody@example..org",
];

#[test]
fn the_committed_lines_are_those_it_writes() {
    let mut written = Vec::new();
    generate(&mut written).unwrap();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/data/shop.jsonl");
    let committed = std::fs::read(data).unwrap();
    assert!(committed == written, "run shop_data again");
    assert!(committed.len() < 2_500_000);
}
