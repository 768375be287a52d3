//! Which operation of the specification a request is.

use http::Method;
use serde_json::Value;

use super::documents::Documents;

/// The prefix of an earlier version, under which the same is served.
const FORMER: (&str, &str) = ("/_matrix/client/r0/", "/_matrix/client/v3/");

/// An operation.
pub struct Operation {
    pub method: Method,
    /// With parameters in braces.
    pub path: String,
    document: String,
    /// Where they stand in the document.
    pointer: String,
    responses: Value,
}

/// All of them.
pub struct Operations(Vec<Operation>);

impl Operations {
    pub fn of(documents: &Documents) -> Self {
        let mut all = Vec::new();
        for (name, document) in documents.with_operations() {
            let base = document.pointer("/servers/0/variables/basePath/default");
            let base = base.and_then(Value::as_str).unwrap_or_default();
            for (path, item) in document["paths"].as_object().into_iter().flatten() {
                for (method, operation) in item.as_object().into_iter().flatten() {
                    let pointer = path.replace('~', "~0").replace('/', "~1");
                    all.push(Operation {
                        method: Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method"),
                        path: format!("{base}{path}"),
                        document: name.clone(),
                        pointer: format!("/paths/{pointer}/{method}/responses"),
                        responses: operation["responses"].clone(),
                    });
                }
            }
        }
        Self(all)
    }

    /// The one that answers a request; of several, the one with the fewest parameters.
    pub fn find(&self, method: &Method, uri: &str) -> Option<&Operation> {
        let path = uri.split('?').next().unwrap_or_default();
        let path = path.replace(FORMER.0, FORMER.1);
        let candidates = self.0.iter().filter(|operation| operation.method == *method);
        candidates.filter(|operation| operation.is_at(&path)).min_by_key(|operation| operation.parameters())
    }
}

impl Operation {
    fn is_at(&self, path: &str) -> bool {
        let (mut template, mut parts) = (self.path.split('/'), path.split('/'));
        loop {
            match (template.next(), parts.next()) {
                (None, None) => return true,
                (Some(name), Some(part)) if name == part || (name.starts_with('{') && !part.is_empty()) => {}
                // A key of state that is empty may be left out, with its slash or without.
                (Some("{stateKey}"), None | Some("")) => {}
                _ => return false,
            }
        }
    }

    fn parameters(&self) -> usize {
        self.path.matches('{').count()
    }

    /// Whether the status is described.
    pub fn documents(&self, status: u16) -> bool {
        self.responses.get(status.to_string()).is_some()
    }

    /// Where the schema of the JSON stands that it answers with this status.
    pub fn schema(&self, documents: &Documents, status: u16) -> Option<String> {
        let mut pointer = format!("{}/{status}", self.pointer);
        let mut response = self.responses.get(status.to_string())?;
        if let Some(reference) = response.get("$ref").and_then(Value::as_str) {
            // They stand in the same document.
            pointer = reference.trim_start_matches('#').to_owned();
            response = documents.get(&self.document)?.1.pointer(&pointer)?;
        }
        response.pointer("/content/application~1json/schema")?;
        Some(format!("{}#{pointer}/content/application~1json/schema", self.document))
    }
}
