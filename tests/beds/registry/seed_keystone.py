#!/usr/bin/env python3
"""Fills an empty Keystone for the registry's tests: seed_keystone.py KEYSTONE SWIFT RGW OUT

Project proj of alice, who may do everything in its object store; bob of the same project, who may do only what a container's own rules let him;
project other of carol; domain magnum with trustee1, to whom alice entrusts her roles; application credentials of hers for all, for a single container,
with the role reader alone, and for pulls from a registry; endpoints of Swift in RegionOne and of RGW in RegionRGW. What the tests have to know goes to
OUT, as lines for a shell."""

import json
import sys
import urllib.request

keystone, swift, rgw, out = sys.argv[1:5]


def call(method, path, token=None, body=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["X-Auth-Token"] = token
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(keystone + path, data, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
        return (json.loads(text) if text else {}), answer.headers


def login(name, password, project):
    default = {"id": "default"}
    user = {"name": name, "domain": default, "password": password}
    body = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": {"name": project, "domain": default}}}
    return call("POST", "/auth/tokens", body={"auth": body})[1]["X-Subject-Token"]


admin = login("admin", "adminpw", "admin")


def make(kind, **what):
    return call("POST", f"/{kind}s", admin, {kind: what})[0][kind]["id"]


roles = {role["name"]: role["id"] for role in call("GET", "/roles", admin)[0]["roles"]}
for name in ("member", "swiftoperator"):
    roles.setdefault(name, None)
    roles[name] = roles[name] or make("role", name=name)


def grant(project, user, *names):
    for name in names:
        call("PUT", f"/projects/{project}/users/{user}/roles/{roles[name]}", admin)


service = make("project", name="service", domain_id="default")
project = make("project", name="proj", domain_id="default")
other = make("project", name="other", domain_id="default")
domain = make("domain", name="magnum")
grant(service, make("user", name="swift", password="swiftpw", domain_id="default"), "admin")
alice = make("user", name="alice", password="alicepw", domain_id="default")
bob = make("user", name="bob", password="bobpw", domain_id="default")
trustee = make("user", name="trustee1", password="trusteepw", domain_id=domain)
grant(project, alice, "member", "swiftoperator")
grant(project, bob, "reader")
grant(other, make("user", name="carol", password="carolpw", domain_id="default"), "member")
call("POST", "/regions", admin, {"region": {"id": "RegionRGW"}})
store = make("service", type="object-store", name="swift")
for region, url in (("RegionOne", swift), ("RegionRGW", rgw)):
    for interface in ("public", "internal", "admin"):
        make("endpoint", service_id=store, interface=interface, region_id=region, url=url)

token = login("alice", "alicepw", "proj")
# As Magnum makes one: by the owner, with the names of her roles.
trust = {"trustor_user_id": alice, "trustee_user_id": trustee, "project_id": project, "impersonation": True, "allow_redelegation": False}
trust["roles"] = [{"name": "member"}, {"name": "swiftoperator"}]
trust = call("POST", "/OS-TRUST/trusts", token, {"trust": trust})[0]["trust"]["id"]


def credential(name, rules=None, roles=("member", "swiftoperator")):
    body = {"name": name, "roles": [{"name": role} for role in roles]}
    if rules:
        body["access_rules"] = rules
    return call("POST", f"/users/{alice}/application_credentials", token, {"application_credential": body})[0]["application_credential"]


whole = credential("registry")
paths = ("/v1/*/limited", "/v1/*/limited/**")
# Keystone takes no COPY here.
methods = ("GET", "HEAD", "PUT", "POST", "DELETE")
limited = credential("registry-limited", [{"service": "object-store", "method": m, "path": p} for p in paths for m in methods])
reader = credential("registry-reader", roles=["reader"])
pulls = credential("registry-pulls", [{"service": "registry", "method": "GET", "path": "/v2/**"}])

lines = {
    "DOMAIN_ID": domain,
    "TRUST_ID": trust,
    "PROJECT_ID": project,
    "OTHER_PROJECT_ID": other,
    "CREDENTIAL_ID": whole["id"],
    "CREDENTIAL_SECRET": whole["secret"],
    "LIMITED_ID": limited["id"],
    "LIMITED_SECRET": limited["secret"],
    "READER_ID": reader["id"],
    "READER_SECRET": reader["secret"],
    "PULLS_ID": pulls["id"],
    "PULLS_SECRET": pulls["secret"],
}
with open(out, "w") as file:
    for name, value in lines.items():
        file.write(f"export JEROBOAM_KEYSTONE_{name}={value}\n")
