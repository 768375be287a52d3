//! Accounts on the memory engine, with a simulated clock and seeded randomness.

mod account_data;
mod bed;
mod check;
mod deactivation;
mod dehydrated;
mod devices;
mod ends;
mod login;
mod member_updates;
mod moderation;
mod openid;
mod profiles;
mod push_rules;
mod pushers;
mod refresh;
mod registration;
mod schema;
mod shared_secret;
mod tags_and_filters;
mod thread_subscriptions;
mod uia;
