use std::rc::Rc;

use arcbus::Query;

#[derive(Query)]
#[message(reply = Rc<str>)]
struct GetUser;

fn main() {}
