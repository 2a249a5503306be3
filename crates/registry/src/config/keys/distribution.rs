//! distribution's sections that are about neither the store, nor those who ask, nor the network.

use super::Kind::{Duration, Flag, Number, Secret, Text, Texts};
use super::{Chapter, key, without_effect};

pub(super) const LOG: Chapter = Chapter {
    title: "Log",
    about: "One line for each request, and sentences about everything else, on standard error.",
    keys: &[
        key("version", Text, "0.1", "The version of the format; there is one"),
        key("log.level", Text, "info", "`error`, `warn`, `info`, `debug` or `trace`"),
        key("loglevel", Text, "", "The older name of `log.level`"),
        key("log.formatter", Text, "text", "`text`, or `json` and `logstash` for one JSON object per line"),
        key("log.accesslog.disabled", Flag, "false", "No line for each request"),
        key("log.fields.*", Text, "", "Fields of the line that says that the registry has started"),
        without_effect("log.hooks", "mail about errors is the work of whatever reads the log"),
        without_effect("log.reportcaller", "a line names the module that wrote it"),
        without_effect("reporting", "neither Bugsnag nor New Relic is told anything"),
    ],
};

pub(super) const NOTIFICATIONS: Chapter = Chapter {
    title: "Notifications",
    about: "Events in distribution's envelope, sent to whoever wants to know what was pushed, pulled or deleted.",
    keys: &[
        key(
            "notifications.events.includereferences",
            Flag,
            "false",
            "Whether events of manifests name what these refer to",
        ),
        key("notifications.endpoints[].name", Text, "", "A name for the log and the metrics"),
        key("notifications.endpoints[].disabled", Flag, "false", "Whether nothing is sent there"),
        key("notifications.endpoints[].url", Text, "", "Where events are posted"),
        key("notifications.endpoints[].headers.*", Texts, "", "Headers of each request, such as `Authorization`"),
        key("notifications.endpoints[].timeout", Duration, "1s", "How long an answer is waited for"),
        key(
            "notifications.endpoints[].threshold",
            Number,
            "10",
            "Failures in a row after which the endpoint is left alone for `backoff`",
        ),
        key("notifications.endpoints[].backoff", Duration, "1s", "How long it is left alone"),
        key(
            "notifications.endpoints[].ignoredmediatypes",
            Texts,
            "",
            "Media types of which no event is sent; older name of `ignore.mediatypes`",
        ),
        key("notifications.endpoints[].ignore.mediatypes", Texts, "", "Media types of which no event is sent"),
        key(
            "notifications.endpoints[].ignore.actions",
            Texts,
            "",
            "Actions of which no event is sent: `pull`, `push`, `mount`, `delete`",
        ),
    ],
};

pub(super) const HEALTH: Chapter = Chapter {
    title: "Health",
    about: "What `/readyz`, and `/debug/health` on the address of `http.debug`, look at beside the store itself.",
    keys: &[
        key("health.storagedriver.enabled", Flag, "true", "Whether the store is looked at from time to time"),
        key("health.storagedriver.interval", Duration, "10s", "How often"),
        key(
            "health.storagedriver.threshold",
            Number,
            "1",
            "Failures in a row after which the registry says that it is not ready",
        ),
        key("health.file[].file", Text, "", "As long as this file exists, the registry says that it is not ready"),
        key("health.file[].interval", Duration, "10s", "How often it is looked for"),
        key("health.http[].uri", Text, "", "An address that has to answer"),
        key("health.http[].headers.*", Texts, "", "Headers of the request"),
        key("health.http[].statuscode", Number, "200", "The status of the answer"),
        key("health.http[].timeout", Duration, "5s", "How long the answer is waited for"),
        key("health.http[].interval", Duration, "10s", "How often it is asked"),
        key("health.http[].threshold", Number, "1", "Failures in a row that count"),
        key("health.tcp[].addr", Text, "", "An address that has to take a connection"),
        key("health.tcp[].timeout", Duration, "5s", "How long the connection is waited for"),
        key("health.tcp[].interval", Duration, "10s", "How often"),
        key("health.tcp[].threshold", Number, "1", "Failures in a row that count"),
    ],
};

pub(super) const PROXY: Chapter = Chapter {
    title: "Pull-through cache",
    about: "One registry that is read through this one. Several, beside repositories of one's own, are `jeroboam.mirrors`.",
    keys: &[
        key("proxy.remoteurl", Text, "", "The registry that is read through this one"),
        key("proxy.username", Text, "", "Who asks there"),
        key("proxy.password", Secret, "", "The password"),
        key("proxy.ttl", Duration, "168h", "How long what was read is kept"),
        without_effect("proxy.exec", "no program is called for credentials"),
    ],
};

pub(super) const REST: Chapter = Chapter {
    title: "Checks, pages and older sections",
    about: "What manifests have to be, how long pages are, and what is left of sections of distribution that have nothing to do here.",
    keys: &[
        key("catalog.maxentries", Number, "1000", "Most repositories of one page of the catalogue"),
        key(
            "tags.maxtags",
            Number,
            "1000",
            "Most tags of one page, for those who ask for a number of them (`n`); whoever asks for none gets all, up to 10000",
        ),
        key("validation.disabled", Flag, "false", "No checks of manifests beyond their form"),
        key("validation.enabled", Flag, "true", "The opposite, as some versions spell it"),
        key(
            "validation.manifests.urls.allow",
            Texts,
            "",
            "Expressions of which one has to match each address that a manifest names; without any, all may be named",
        ),
        key("validation.manifests.urls.deny", Texts, "", "Expressions of which none must match"),
        key(
            "validation.manifests.indexes.platforms",
            Text,
            "all",
            "Which children of an index have to be there: `all`, `none`, or those of the platforms of a `list`",
        ),
        key("validation.manifests.indexes.platformlist[].os", Text, "", "With `list`: such as `linux`"),
        key("validation.manifests.indexes.platformlist[].architecture", Text, "", "Such as `amd64`"),
        without_effect("policy", "classes of repositories are of Docker Hub"),
        without_effect("compatibility", "manifests of schema 1 are handed out as they are and taken from nobody"),
        without_effect(
            "redis",
            "what is cached is cached in memory, and nothing is shared between processes that the store does not hold",
        ),
        without_effect("middleware.registry", "there is none"),
        without_effect("middleware.repository", "there is none"),
        without_effect(
            "middleware.storage",
            "addresses of a content network are not made; see storage.redirect and jeroboam.redirect",
        ),
    ],
};
