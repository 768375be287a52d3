//! What a client gets from `/sync`, on the Memory engine and a simulated clock.

mod account_data;
mod basics;
mod bed;
mod departures;
mod device_lists;
mod ephemeral;
mod filters;
mod gaps;
mod key_counts;
mod lazy_loading;
mod memberships;
mod model;
mod sliding;
mod state;
mod to_device;
mod tokens;
mod unread;
mod visibility;
mod waiting;
