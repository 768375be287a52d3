//! Tests of resolution: scenarios with known outcomes, properties over random room histories, and a
//! comparison with ruma's resolution (v2, v2.1) and with whole-state models.

mod history;
mod properties;
mod room;
mod rounds;
mod scenarios;
mod v1;
