"""The life of a cluster with python-magnumclient as a library: every call of its version 1 managers, each answer compared.

OS_CLIENT_CONFIG_FILE names the clouds.yaml with a tenant's cloud `jeroboam-dev` and an administrator's `jeroboam-dev-admin`.
  magnumclient_life.py OLDER-IMAGE NEWER-IMAGE OLDER-VERSION NEWER-VERSION
"""
import sys
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from magnumclient import exceptions as refused
from magnumclient.v1 import client
from openstack import config

from checks import refuses, same

older_image, newer_image, older, newer = sys.argv[1:]
# How long a status may take, in seconds; nothing depends on how long it did.
PATIENCE = 180


def connect(cloud, **options):
    session = config.OpenStackConfig().get_one(cloud).get_session()
    return client.Client(session=session, region_name="RegionOne", **options), session.get_project_id()


def until(magnum, cluster, wanted):
    began = time.monotonic()
    while True:
        seen = magnum.clusters.get(cluster)
        if seen.status == wanted:
            print(wanted, flush=True)
            return seen
        assert not seen.status.endswith("_FAILED"), f"{seen.status}: {seen.status_reason}"
        assert time.monotonic() - began < PATIENCE, f"waited for {wanted}, still {seen.status}: {seen.status_reason}"
        time.sleep(0.2)


def names(found):
    return [one.name for one in found]


def request(subject):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters")])
    signed = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def signs(authority, certificate):
    issuer, issued = (x509.load_pem_x509_certificate(pem.encode()) for pem in (authority, certificate))
    issued.verify_directly_issued_by(issuer)
    return issued.subject.rfc4514_string()


def templates(magnum):
    common = {
        "coe": "kubernetes", "external_network_id": "public", "master_flavor_id": "m1.medium", "flavor_id": "m1.small",
        "dns_nameserver": "9.9.9.9", "network_driver": "calico", "master_lb_enabled": True, "floating_ip_enabled": True}
    made = magnum.cluster_templates.create(name="older", image_id=older_image, labels={"kube_tag": older}, **common)
    same("a template's labels", {"kube_tag": older}, made.labels)
    same("what was not given", (False, False, None), (made.public, made.hidden, made.docker_volume_size))
    magnum.cluster_templates.create(name="newer", image_id=newer_image, labels={"kube_tag": newer}, **common)
    spare = magnum.cluster_templates.create(name="spare", image_id=older_image, **common)
    same("templates by name", ["newer", "older", "spare"], names(magnum.cluster_templates.list(sort_key="name", sort_dir="asc")))
    same("backwards", ["spare", "older", "newer"], names(magnum.cluster_templates.list(sort_key="name", sort_dir="desc")))
    same("two of them", ["newer", "older"], names(magnum.cluster_templates.list(limit=2, sort_key="name", sort_dir="asc")))
    refuses("a list of none", refused.BadRequest, magnum.cluster_templates.list, limit=0)
    after = magnum.cluster_templates.list(marker=made.uuid, sort_key="name", sort_dir="asc")
    same("those after a marker", ["spare"], names(after))
    same("in detail", [True] * 3, [one.master_lb_enabled for one in magnum.cluster_templates.list(detail=True)])
    changed = magnum.cluster_templates.update(spare.uuid, [
        {"op": "replace", "path": "/tags", "value": "tried"}, {"op": "add", "path": "/labels/a", "value": "b"},
        {"op": "remove", "path": "/dns_nameserver"}])
    same("what an update answers", ("tried", {"a": "b"}), (changed.tags, changed.labels))
    same("what is kept", changed.to_dict(), magnum.cluster_templates.get("spare").to_dict())
    refuses("a template of nothing", refused.BadRequest, magnum.cluster_templates.create, name="x", image_id="nothing", **common)
    refuses("an unknown member", refused.BadRequest, magnum.cluster_templates.update, spare.uuid,
            [{"op": "replace", "path": "/colour", "value": "red"}])
    magnum.cluster_templates.delete("spare")
    refuses("a template that is gone", refused.NotFound, magnum.cluster_templates.get, spare.uuid)
    refuses("nor can it be deleted", refused.NotFound, magnum.cluster_templates.delete, spare.uuid)
    return made


def cluster(magnum, template, project):
    made = magnum.clusters.create(name="life", cluster_template_id=template.uuid, node_count=1, master_count=1, keypair="demo", create_timeout=60)
    seen = until(magnum, made.uuid, "CREATE_COMPLETE")
    same("by name", made.uuid, magnum.clusters.get("life").uuid)
    wanted = {"name": "life", "node_count": 1, "master_count": 1, "keypair": "demo", "project_id": project, "flavor_id": "m1.small",
              "master_flavor_id": "m1.medium", "cluster_template_id": template.uuid, "coe_version": older, "create_timeout": 60}
    same("the cluster", wanted, {name: getattr(seen, name) for name in wanted})
    assert seen.api_address.startswith("https://"), seen.api_address
    same("listed", [("life", "CREATE_COMPLETE")], [(one.name, one.status) for one in magnum.clusters.list()])
    same("listed with a limit", ["life"], names(magnum.clusters.list(limit=5, sort_key="name", sort_dir="desc")))
    same("listed in detail", [seen.api_address], [one.api_address for one in magnum.clusters.list(detail=True)])
    refuses("a template in use", refused.BadRequest, magnum.cluster_templates.delete, "older")
    refuses("a cluster that is not there", refused.NotFound, magnum.clusters.get, "nobody")
    return made.uuid


def sizes(magnum, uuid):
    magnum.clusters.resize(uuid, 2)
    same("after resize", 2, until(magnum, uuid, "UPDATE_COMPLETE").node_count)
    magnum.clusters.update(uuid, [{"op": "replace", "path": "/node_count", "value": 1}])
    same("after update", 1, until(magnum, uuid, "UPDATE_COMPLETE").node_count)
    magnum.clusters.update(uuid, [{"op": "replace", "path": "/node_count", "value": 2}], rollback=True)
    same("after update with rollback", 2, until(magnum, uuid, "UPDATE_COMPLETE").node_count)
    refuses("a size of nothing", refused.BadRequest, magnum.clusters.resize, uuid, -1)


def nodegroups(magnum, uuid):
    default = [("default-master", "master", 1, True), ("default-worker", "worker", 2, True)]
    shape = lambda group: (group.name, group.role, group.node_count, group.is_default)
    same("node groups", default, sorted(map(shape, magnum.nodegroups.list(uuid))))
    made = magnum.nodegroups.create(uuid, name="extra", node_count=1, min_node_count=1, max_node_count=3, role="infra", flavor_id="m1.medium",
                                    labels={"purpose": "test"}, merge_labels=True)
    until(magnum, uuid, "UPDATE_COMPLETE")
    seen = magnum.nodegroups.get(uuid, "extra")
    same("the new one", (made.uuid, "infra", 1, "m1.medium", "CREATE_COMPLETE"),
         (seen.uuid, seen.role, seen.node_count, seen.flavor_id, seen.status))
    same("its labels", ("test", older), (seen.labels.get("purpose"), seen.labels.get("kube_tag")))
    same("of a role", ["extra"], names(magnum.nodegroups.list(uuid, role="infra")))
    same("one of them", 1, len(magnum.nodegroups.list(uuid, limit=1, sort_key="name", sort_dir="asc")))
    changed = magnum.nodegroups.update(uuid, "extra", [{"op": "replace", "path": "/max_node_count", "value": 5}])
    same("what an update answers", (made.uuid, 5), (changed.uuid, changed.max_node_count))
    until(magnum, uuid, "UPDATE_COMPLETE")
    magnum.clusters.resize(uuid, 2, nodegroup="extra")
    until(magnum, uuid, "UPDATE_COMPLETE")
    same("after resize", 2, magnum.nodegroups.get(uuid, made.uuid).node_count)
    refuses("a name that is taken", refused.Conflict, magnum.nodegroups.create, uuid, name="extra", node_count=1)
    refuses("a default group stays", refused.BadRequest, magnum.nodegroups.delete, uuid, "default-worker")
    magnum.nodegroups.delete(uuid, "extra")
    until(magnum, uuid, "UPDATE_COMPLETE")
    refuses("a group that is gone", refused.NotFound, magnum.nodegroups.get, uuid, "extra")


def certificates(magnum, uuid):
    authority = magnum.certificates.get(cluster_uuid=uuid)
    same("the certificate's cluster", uuid, authority.cluster_uuid)
    signed = magnum.certificates.create(cluster_uuid=uuid, csr=request("admin"))
    same("who may come in", "O=system:masters,CN=admin", signs(authority.pem, signed.pem))
    refuses("no request", refused.BadRequest, magnum.certificates.create, cluster_uuid=uuid, csr="nonsense")


def quotas(magnum, admin, project):
    same("limits that were set", [], admin.quotas.list(all_tenants=True))
    same("the limit of the configuration", 20, magnum.quotas.get(project, "Cluster").hard_limit)
    refuses("a tenant's look at them", refused.Forbidden, magnum.quotas.list)
    made = admin.quotas.create(project_id=project, resource="Cluster", hard_limit=1)
    same("a new limit", (project, "Cluster", 1), (made.project_id, made.resource, made.hard_limit))
    same("the tenant sees it", 1, magnum.quotas.get(project, "Cluster").hard_limit)
    same("in a list", [project], [one.project_id for one in admin.quotas.list(all_tenants=True)])
    same("in a short list", [project], [one.project_id for one in admin.quotas.list(limit=1, all_tenants=True)])
    refuses("a tenant sets none", refused.Forbidden, magnum.quotas.create, project_id=project, resource="Cluster", hard_limit=9)
    refuses("one is enough", refused.Conflict, admin.quotas.create, project_id=project, resource="Cluster", hard_limit=9)
    refuses("a cluster too many", refused.Forbidden, magnum.clusters.create, name="more", cluster_template_id="older", keypair="demo")
    changed = admin.quotas.update(project, "Cluster", {"project_id": project, "resource": "Cluster", "hard_limit": 7})
    same("another limit", 7, changed.hard_limit)
    admin.quotas.delete(project, "Cluster")
    refuses("no limit again", refused.NotFound, admin.quotas.delete, project, "Cluster")


def around(magnum, admin, project, own):
    figures = lambda stats: (stats.clusters, stats.nodes)
    same("the tenant's figures", (1, 3), figures(magnum.stats.list(project_id=project)))
    same("unless it says whose", (1, 3), figures(magnum.stats.list()))
    same("everybody's", (1, 3), figures(admin.stats.list()))
    same("of a project without any", (0, 0), figures(admin.stats.list(project_id=own)))
    services = admin.mservices.list()
    same("services", [("magnum-conductor", "up")], [(one.binary, one.state) for one in services])
    refuses("a tenant's look at services", refused.Forbidden, magnum.mservices.list)


def main():
    magnum, project = connect("jeroboam-dev", api_version="latest")
    admin, own = connect("jeroboam-dev-admin", api_version="latest")
    template = templates(magnum)
    uuid = cluster(magnum, template, project)
    certificates(magnum, uuid)
    sizes(magnum, uuid)
    nodegroups(magnum, uuid)
    around(magnum, admin, project, own)
    quotas(magnum, admin, project)
    magnum.clusters.upgrade(uuid, "newer")
    same("after upgrade", newer, until(magnum, uuid, "UPDATE_COMPLETE").coe_version)
    # Nothing is stored before the driver agrees, and it does not.
    refuses("another credential", refused.BadRequest, magnum.credentials.update, uuid)
    refuses("another authority", refused.BadRequest, magnum.certificates.rotate_ca, cluster_uuid=uuid)
    same("and all is as it was", "UPDATE_COMPLETE", magnum.clusters.get(uuid).status)
    magnum.clusters.delete(uuid)
    began = time.monotonic()
    while names(magnum.clusters.list()):
        assert time.monotonic() - began < PATIENCE, magnum.clusters.get(uuid).status_reason
        time.sleep(0.2)
    refuses("its certificate", refused.NotFound, magnum.certificates.get, cluster_uuid=uuid)
    for name in ("older", "newer"):
        magnum.cluster_templates.delete(name)
    same("what is left", ([], []), (magnum.clusters.list(), magnum.cluster_templates.list()))


main()
