"""Drivers that accept every operation and finish none: a cluster stays IN_PROGRESS until its row is written by hand."""
from magnum.drivers.common import driver


class Accepting(driver.Driver):
    distro = None

    @property
    def provides(self):
        return [{'server_type': 'vm', 'os': self.distro, 'coe': 'kubernetes'}]

    def create_cluster(self, context, cluster, cluster_create_timeout):
        cluster.stack_id = 'kube-' + cluster.uuid[:5]

    def update_cluster(self, context, cluster, scale_manager=None, rollback=False):
        pass

    def upgrade_cluster(self, context, cluster, cluster_template, max_batch_size, nodegroup, scale_manager=None,
                        rollback=False):
        # The conductor leaves it to the driver to note the new template.
        cluster.cluster_template_id = cluster_template.uuid

    def delete_cluster(self, context, cluster):
        pass

    def resize_cluster(self, context, cluster, resize_manager, node_count, nodes_to_remove, nodegroup=None):
        pass

    def validate_master_resize(self, node_count):
        self.validate_master_size(node_count)

    def create_nodegroup(self, context, cluster, nodegroup):
        nodegroup.stack_id = cluster.stack_id
        nodegroup.save()

    def update_nodegroup(self, context, cluster, nodegroup):
        nodegroup.save()

    def delete_nodegroup(self, context, cluster, nodegroup):
        # The conductor sets the status and leaves it to the driver to save it.
        nodegroup.save()

    def create_federation(self, context, federation):
        raise NotImplementedError

    update_federation = delete_federation = create_federation

    def rotate_credential(self, context, cluster):
        pass

    def rotate_ca_certificate(self, context, cluster):
        pass


class Debian(Accepting):
    distro = 'debian'


class Flatcar(Accepting):
    distro = 'flatcar'


class Ubuntu(Accepting):
    distro = 'ubuntu'


class UbuntuFocal(Accepting):
    distro = 'ubuntu-focal'
