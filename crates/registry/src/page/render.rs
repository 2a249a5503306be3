//! Templates. Everything that comes from clients is escaped, since all of their names end with `.html`.

use http::StatusCode;
use minijinja::value::Serde;
use minijinja::{Environment, Error, UndefinedBehavior, context};

use super::view::{ManifestPage, RepositoriesPage, RepositoryPage};

const TEMPLATES: [(&str, &str); 5] = [
    ("frame.html", include_str!("templates/frame.html")),
    ("repositories.html", include_str!("templates/repositories.html")),
    ("repository.html", include_str!("templates/repository.html")),
    ("manifest.html", include_str!("templates/manifest.html")),
    ("sorry.html", include_str!("templates/sorry.html")),
];

/// All templates, read once.
pub(super) struct Pages(Environment<'static>);

impl Pages {
    pub(super) fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, text) in TEMPLATES {
            environment.add_template(name, text).expect("the templates are part of the program, and tested");
        }
        Self(environment)
    }

    pub(super) fn repositories(&self, page: &RepositoriesPage<'_>) -> Result<String, Error> {
        self.0.get_template("repositories.html")?.render(Serde(page))
    }

    pub(super) fn repository(&self, page: &RepositoryPage<'_>) -> Result<String, Error> {
        self.0.get_template("repository.html")?.render(Serde(page))
    }

    pub(super) fn manifest(&self, page: &ManifestPage<'_>) -> Result<String, Error> {
        self.0.get_template("manifest.html")?.render(Serde(page))
    }

    pub(super) fn sorry(&self, prefix: &str, status: StatusCode, text: &str) -> Result<String, Error> {
        let title = status.canonical_reason().unwrap_or("Error");
        self.0.get_template("sorry.html")?.render(context!(prefix, title, text))
    }
}
