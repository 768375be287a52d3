//! Whom users turn to, from the configuration.

use plop_client_api::Contact;
use plop_config::sections::Support;

/// The contacts that are named. The configuration was checked: what stands there is an id.
pub fn contacts(config: &Support) -> Vec<Contact> {
    let contact = |role, id: &Option<String>, address: &Option<String>| {
        let matrix_id = id.as_deref().and_then(|id| id.try_into().ok());
        let contact = Contact { matrix_id, email_address: address.clone(), role };
        (contact.matrix_id.is_some() || contact.email_address.is_some()).then_some(contact)
    };
    let admin = contact("m.role.admin", &config.admin_matrix_id, &config.admin_email);
    let security = contact("m.role.security", &config.security_matrix_id, &config.security_email);
    admin.into_iter().chain(security).collect()
}
