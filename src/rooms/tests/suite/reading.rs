//! What users read: visibility, history, context, state, members, the form of events.

mod erasure;
mod forms;
mod model;
mod pages;
mod script;
mod state;
mod visibility;
