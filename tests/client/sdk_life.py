"""The life of a cluster with openstacksdk: every call of its container infrastructure module and of its cloud layer, each answer compared.

OS_CLIENT_CONFIG_FILE names the clouds.yaml with a tenant's cloud `jeroboam-dev` and an administrator's `jeroboam-dev-admin`.
  sdk_life.py OLDER-IMAGE NEWER-IMAGE OLDER-VERSION NEWER-VERSION
"""
import sys

import openstack
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from openstack import exceptions as refused

from checks import refuses, same

older_image, newer_image, older, newer = sys.argv[1:]
# How long a status may take, in seconds; nothing depends on how long it did.
PATIENCE = 180


def until(infra, cluster, status):
    failures = ["CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED"]
    return infra.wait_for_status(infra.get_cluster(cluster), status, failures=failures, interval=0.2, wait=PATIENCE)


def names(found):
    return [one.name for one in found]


def request(subject):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    signed = x509.CertificateSigningRequestBuilder().subject_name(name).sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def signs(authority, certificate):
    issuer, issued = (x509.load_pem_x509_certificate(pem.encode()) for pem in (authority, certificate))
    issued.verify_directly_issued_by(issuer)
    return issued.subject.rfc4514_string()


COMMON = {
    "coe": "kubernetes", "external_network_id": "public", "master_flavor_id": "m1.medium", "flavor_id": "m1.small",
    "dns_nameserver": "9.9.9.9", "network_driver": "calico", "is_master_lb_enabled": True, "is_floating_ip_enabled": True}


def templates(infra):
    made = infra.create_cluster_template(name="older", image_id=older_image, labels={"kube_tag": older}, **COMMON)
    same("a template's labels", {"kube_tag": older}, made.labels)
    same("what was not given", (False, False, None), (made.is_public, made.is_hidden, made.docker_volume_size))
    infra.create_cluster_template(name="newer", image_id=newer_image, labels={"kube_tag": newer}, **COMMON)
    spare = infra.create_cluster_template(name="spare", image_id=older_image, **COMMON)
    same("listed", ["older", "newer", "spare"], names(infra.cluster_templates()))
    same("page by page", ["older", "newer", "spare"], names(infra.cluster_templates(limit=1)))
    same("found by name", spare.uuid, infra.find_cluster_template("spare").uuid)
    same("found by id", "spare", infra.find_cluster_template(spare.uuid).name)
    same("not found", None, infra.find_cluster_template("nothing"))
    refuses("not found, loudly", refused.NotFoundException, infra.find_cluster_template, "nothing", ignore_missing=False)
    changed = infra.update_cluster_template(spare, name="tried", labels={"a": "b"}, docker_volume_size=7)
    same("an update", ("tried", {"a": "b"}, 7), (changed.name, changed.labels, changed.docker_volume_size))
    seen = infra.get_cluster_template(spare.uuid)
    same("what is kept", ("tried", {"a": "b"}, 7), (seen.name, seen.labels, seen.docker_volume_size))
    refuses("an image of nothing", refused.BadRequestException, infra.create_cluster_template, name="x", image_id="nothing", **COMMON)
    infra.delete_cluster_template(spare.uuid)
    infra.delete_cluster_template(spare.uuid)
    refuses("gone", refused.NotFoundException, infra.delete_cluster_template, spare.uuid, ignore_missing=False)
    refuses("gone", refused.NotFoundException, infra.get_cluster_template, spare.uuid)
    return made


def cluster(infra, template):
    made = infra.create_cluster(name="life", cluster_template_id=template.uuid, node_count=1, master_count=1, keypair="demo", create_timeout=60)
    seen = until(infra, made.uuid, "CREATE_COMPLETE")
    wanted = {"name": "life", "node_count": 1, "master_count": 1, "keypair": "demo", "flavor_id": "m1.small", "master_flavor_id": "m1.medium",
              "cluster_template_id": template.uuid, "coe_version": older, "create_timeout": 60, "is_master_lb_enabled": True}
    same("the cluster", wanted, {name: getattr(seen, name) for name in wanted})
    assert seen.api_address.startswith("https://"), seen.api_address
    same("listed", [(made.uuid, "CREATE_COMPLETE")], [(one.uuid, one.status) for one in infra.clusters()])
    same("found by name", made.uuid, infra.find_cluster("life").uuid)
    same("found by id", "life", infra.find_cluster(made.uuid).name)
    same("not found", None, infra.find_cluster("nobody"))
    refuses("not found, loudly", refused.NotFoundException, infra.find_cluster, "nobody", ignore_missing=False)
    refuses("a template in use", refused.BadRequestException, infra.delete_cluster_template, template.uuid)
    # The module updates what it was given: the answer has the id alone.
    same("an update", made.uuid, infra.update_cluster(seen, node_count=2).uuid)
    same("after it", 2, until(infra, made.uuid, "UPDATE_COMPLETE").node_count)
    return made.uuid


def actions(infra, uuid):
    # Without a microversion there are no actions, and openstacksdk asks for none by itself.
    refuses("an action before its time", refused.HttpException, infra.get_cluster(uuid).resize, infra, node_count=1)
    infra.default_microversion = "1.14"
    # These two send the request, and then take the answer for something else: 'Response' object is not subscriptable.
    refuses("resize", TypeError, infra.get_cluster(uuid).resize, infra, node_count=1)
    same("after it", 1, until(infra, uuid, "UPDATE_COMPLETE").node_count)
    refuses("upgrade", TypeError, infra.get_cluster(uuid).upgrade, infra, cluster_template="newer")
    same("after it", newer, until(infra, uuid, "UPDATE_COMPLETE").coe_version)
    infra.default_microversion = None


def certificates(infra, uuid):
    authority = infra.get_cluster_certificate(uuid)
    same("the certificate's cluster", uuid, authority.cluster_uuid)
    signed = infra.create_cluster_certificate(cluster_uuid=uuid, csr=request("somebody"))
    same("who may come in", "CN=somebody", signs(authority.pem, signed.pem))
    refuses("no request", refused.BadRequestException, infra.create_cluster_certificate, cluster_uuid=uuid, csr="nonsense")


def services(tenant, admin):
    same("services", [("magnum-conductor", "up")], [(one.binary, one.state) for one in admin.container_infrastructure_management.services()])
    same("in the cloud layer", ["magnum-conductor"], [one.binary for one in admin.list_magnum_services()])
    refuses("a tenant's look", refused.ForbiddenException, tenant.list_magnum_services)


def cloud_layer(cloud):
    """The same life with the calls that older programs and Ansible make."""
    made = cloud.create_cluster_template("layer", image_id=newer_image, keypair_id="demo", **COMMON)
    same("templates", ["layer", "newer", "older"], sorted(names(cloud.list_cluster_templates())))
    same("searched", [made.uuid], [one.uuid for one in cloud.search_cluster_templates("layer")])
    same("by name", made.uuid, cloud.get_cluster_template("layer").uuid)
    same("updated", "tried", cloud.update_cluster_template("layer", name="tried").name)
    cluster = cloud.create_coe_cluster("second", "tried", node_count=1, master_count=1)
    infra = cloud.container_infrastructure_management
    until(infra, cluster.uuid, "CREATE_COMPLETE")
    same("clusters", ["life", "second"], sorted(names(cloud.list_coe_clusters())))
    same("searched", [cluster.uuid], [one.uuid for one in cloud.search_coe_clusters("second")])
    same("by name", "CREATE_COMPLETE", cloud.get_coe_cluster("second").status)
    cloud.update_coe_cluster("second", node_count=2)
    same("updated", 2, until(infra, cluster.uuid, "UPDATE_COMPLETE").node_count)
    authority = cloud.get_coe_cluster_certificate(cluster.uuid)
    signed = cloud.sign_coe_cluster_certificate(cluster.uuid, request("somebody else"))
    same("who may come in", "CN=somebody else", signs(authority.pem, signed.pem))
    same("deleted", True, cloud.delete_coe_cluster("second"))
    infra.wait_for_delete(infra.find_cluster("second") or cluster, interval=0.2, wait=PATIENCE)
    same("nothing to delete", False, cloud.delete_coe_cluster("second"))
    same("template deleted", True, cloud.delete_cluster_template("tried"))
    same("nothing to delete", False, cloud.delete_cluster_template("tried"))


def main():
    tenant, admin = openstack.connect("jeroboam-dev"), openstack.connect("jeroboam-dev-admin")
    infra = tenant.container_infrastructure_management
    template = templates(infra)
    uuid = cluster(infra, template)
    certificates(infra, uuid)
    services(tenant, admin)
    cloud_layer(tenant)
    actions(infra, uuid)
    going = infra.get_cluster(uuid)
    infra.delete_cluster(uuid)
    infra.wait_for_delete(going, interval=0.2, wait=PATIENCE)
    infra.delete_cluster(uuid)
    refuses("gone", refused.NotFoundException, infra.delete_cluster, uuid, ignore_missing=False)
    for name in ("older", "newer"):
        infra.delete_cluster_template(name)
    same("what is left", ([], []), (list(infra.clusters()), list(infra.cluster_templates())))


main()
