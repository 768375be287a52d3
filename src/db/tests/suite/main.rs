mod bed;
mod conformance;
mod durability;
mod ledger;
mod model;
mod powerloss;
