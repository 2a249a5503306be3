"""What Python's oslo.policy, oslo.config and Magnum say: one JSON question on each line of stdin, one answer on stdout.

Run by the tests of crates/oslo with the Python of the Magnum venv; knows nothing of the program that is compared.
"""

import functools
import inspect
import json
import logging
import os
import shutil
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

import importlib.metadata  # noqa: E402

import keystonemiddleware.auth_token  # noqa: E402,F401
import magnum.common.config  # noqa: E402
import magnum.common.policies  # noqa: E402
import magnum.common.rpc  # noqa: E402
import magnum.conf  # noqa: E402
from keystoneauth1 import loading  # noqa: E402
from magnum.api import hooks  # noqa: E402
from oslo_config import cfg, types  # noqa: E402
from oslo_policy import opts as policy_opts, policy  # noqa: E402

# oslo.policy looks at the signature of a check each time it asks one; looking once is most of the time of a run.
signature = functools.cache(inspect.getfullargspec)
inspect.getfullargspec = lambda method: signature(getattr(method, "__func__", method))

# Rules that lead in a circle are to end soon.
sys.setrecursionlimit(500)

# Files that live for a moment need no disk.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

# magnum.opts is named by Magnum's own entry points and does not exist; the rest is not in Magnum's pipeline or is about the
# reading of configuration itself.
NOT_MAGNUM_S = {"magnum", "oslo.cache", "oslo.config", "keystonemiddleware.audit"}


def policies(question):
    """The rules of a file and of a directory on top of Magnum's, or rules alone; then decisions."""
    place = tempfile.mkdtemp(dir=MEMORY)
    try:
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[], default_config_dirs=[])
        policy_opts._register(conf)
        files = {"policy.yaml": question["file"], **question.get("dir", {})}
        os.mkdir(os.path.join(place, "policy.d"))
        for name, text in files.items():
            if text is not None:
                with open(os.path.join(place, name), "w", encoding="utf-8") as out:
                    out.write(text)
        for name, value in {
            "policy_file": os.path.join(place, "policy.yaml"),
            "policy_dirs": [os.path.join(place, "policy.d")],
            "enforce_new_defaults": question["enforce_new_defaults"],
        }.items():
            conf.set_override(name, value, group="oslo_policy")
        enforcer = policy.Enforcer(conf)
        if question["magnum"]:
            enforcer.register_defaults(magnum.common.policies.list_rules())
        try:
            enforcer.load_rules()
        except Exception as error:
            return {"error": type(error).__name__}
        return {"answers": [decision(enforcer, *ask) for ask in question["asks"]]}
    finally:
        shutil.rmtree(place)


def decision(enforcer, rule, target, creds):
    # enforce() would look at the files again for each question.
    enforcer.load_rules = lambda: None
    try:
        return bool(enforcer.enforce(rule, target, dict(creds)))
    except RecursionError:
        return "RecursionError"
    except Exception as error:
        return type(error).__name__


def rules(_question):
    found = []
    for rule in magnum.common.policies.list_rules():
        old = rule.deprecated_rule
        found.append(
            {
                "name": rule.name,
                "check": rule.check_str,
                "scopes": rule.scope_types,
                "deprecated": old and [old.name, old.check_str],
                "operations": [[op["method"], op["path"]] for op in getattr(rule, "operations", [])],
                "description": rule.description,
            }
        )
    return found


class Request:
    def __init__(self, headers):
        self.headers = headers
        self.environ = {}


class State:
    def __init__(self, headers):
        self.request = Request(headers)


def context(question):
    """What Magnum's policy is told of a caller with these headers."""
    state = State(question["headers"])
    hooks.ContextHook().before(state)
    told = state.request.context.to_dict()
    for changing in ("request_id", "auth_token", "auth_token_info", "auth_url", "user_identity"):
        told.pop(changing, None)
    return told


def described(option):
    """What a value of an option has to be, in the words of `jeroboam config sample`."""
    if option.multi:
        return "text, may be repeated"
    kind = option.type
    if isinstance(kind, types.Boolean):
        return "true or false"
    if isinstance(kind, types.Number):
        what = "a number" if kind.num_type is float else "a whole number"
        least, most = (None if bound is None else f"{bound:g}" for bound in (kind.min, kind.max))
        if most is None:
            return what if least is None else f"{what}, at least {least}"
        return f"{what} from {least} to {most}"
    if isinstance(kind, types.List):
        words = getattr(kind.item_type, "choices", None)
        return f"a list, separated by commas, out of {', '.join(words)}" if words else "a list separated by commas"
    if isinstance(kind, types.Dict):
        return "name:value pairs separated by commas"
    if isinstance(kind, types.IPAddress):
        return "an IP address"
    if isinstance(kind, types.HostAddress):
        return "an IP address or the name of a host"
    if getattr(kind, "choices", None):
        words = ", ".join(word for word in kind.choices if word is not None)
        return f"one of {words}" + (", in any case" if kind.ignore_case else "")
    return "text"


def written(value):
    """A default as a file would have it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    if isinstance(value, dict):
        return ",".join(f"{name}:{text}" for name, text in value.items())
    return str(value)


def every_option():
    """Group, option and default: what libraries list, and what is registered once Magnum is imported."""
    for entry in sorted(importlib.metadata.entry_points(group="oslo.config.opts"), key=lambda e: e.name):
        if entry.name not in NOT_MAGNUM_S:
            for group, options in entry.load()():
                for option in options:
                    yield getattr(group, "name", group) or "DEFAULT", option, option.default
    for group in ("keystone_auth", "keystone_authtoken"):
        for plugin in ("v3applicationcredential", "password"):
            for option in loading.get_auth_plugin_conf_options(plugin):
                yield group, option, option.default
        for option in loading.get_session_conf_options():
            yield group, option, option.default
    registered = {"DEFAULT": magnum.conf.CONF._opts}
    registered.update({name: group._opts for name, group in magnum.conf.CONF._groups.items()})
    for group, options in registered.items():
        for info in options.values():
            if not info["cli"] or group != "DEFAULT":
                yield group, info["opt"], info.get("default", info["opt"].default)


def options(_question):
    """Every option that Magnum registers, with Magnum's own defaults for those of its libraries."""
    magnum.common.config.set_config_defaults()
    magnum.common.rpc.set_defaults(control_exchange="magnum")
    found = {}
    for group, option, default in every_option():
        # Where Magnum is installed and what the machine is called are nobody's default.
        if option.dest == "pybasedir":
            default = None
        found[(group, option.dest)] = {
            "group": group,
            "name": option.dest,
            "kind": described(option),
            "default": written(default if option.sample_default is None else option.sample_default),
            "deprecated": sorted({(old.group or group, old.name or option.dest) for old in option.deprecated_opts}),
            "going": bool(option.deprecated_for_removal),
            "secret": bool(option.secret),
        }
    return list(found.values())


KINDS = {
    "text": lambda spec: {"type": types.String(choices=spec.get("choices"))},
    "int": lambda spec: {"type": types.Integer(min=spec.get("min"), max=spec.get("max"))},
    "float": lambda spec: {"type": types.Float(min=spec.get("min"))},
    "bool": lambda spec: {"type": types.Boolean()},
    "list": lambda spec: {"type": types.List(item_type=types.String(choices=spec.get("choices")))},
    "dict": lambda spec: {"type": types.Dict()},
    "ip": lambda spec: {"type": types.IPAddress()},
    "host": lambda spec: {"type": types.HostAddress()},
}


def config(question):
    """The values that options have in files, in the order of the command line, and in the environment."""
    place = tempfile.mkdtemp(dir=MEMORY)
    before = dict(os.environ)
    try:
        for name, text in question["files"].items():
            path = os.path.join(place, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8", newline="") as out:
                out.write(text)
        os.environ.update(question["env"])
        conf = cfg.ConfigOpts()
        for spec in question["options"]:
            old = [cfg.DeprecatedOpt(name, group=group) for group, name in spec["deprecated"]]
            common = {"default": spec["default"], "deprecated_opts": old}
            if spec["kind"] == "multi":
                common["default"] = spec["default"] and [spec["default"]]
                option = cfg.MultiStrOpt(spec["name"], **common)
            else:
                option = cfg.Opt(spec["name"], **KINDS[spec["kind"]](spec), **common)
            conf.register_opt(option, group=None if spec["group"] == "DEFAULT" else spec["group"])
        args = []
        for word, name in question["args"]:
            args += [word, os.path.join(place, name)]
        try:
            conf(args, default_config_files=[], default_config_dirs=[])
        except (Exception, SystemExit) as error:
            return {"error": type(error).__name__}
        answers = []
        for spec in question["options"]:
            try:
                group = conf if spec["group"] == "DEFAULT" else conf[spec["group"]]
                value = group[spec["name"]]
                # JSON has no infinity.
                answers.append({"value": repr(value) if isinstance(value, float) else value})
            except RecursionError:
                answers.append({"error": "RecursionError"})
            except Exception as error:
                answers.append({"error": type(error).__name__})
        return {"answers": answers}
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(place)


def main():
    magnum.conf.CONF([], project="magnum", default_config_files=[], default_config_dirs=[])
    known = {
        "policies": policies,
        "rules": rules,
        "context": context,
        "options": options,
        "config": config,
    }
    for line in sys.stdin:
        question = json.loads(line)
        answer = known[question["ask"]](question)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
