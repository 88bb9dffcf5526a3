//! What of the Python package can be tested without a Python: who of the calls' threads asks for the interpreter next.

#[path = "../src/bridge/process.rs"]
mod process;
#[path = "../src/bridge/turn.rs"]
mod turn;
