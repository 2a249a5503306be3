"""Makes a project with an administrator, a member and a reader, each with a key pair, and writes them into a file of accounts for tempest.

Key pairs belong to users, and tempest gives users that it makes for its tests of roles none.
  accounts.py CLOUD PASSWORD PROJECT KEYPAIR FILE
"""
import sys

import openstack
import yaml

cloud, password, name, keypair, file = sys.argv[1:]
admin = openstack.connect(cloud)
domain = admin.identity.find_domain("Default", ignore_missing=False)
project = admin.identity.create_project(name=name, domain_id=domain.id)
accounts = []
for role in ("admin", "member", "reader"):
    user = admin.identity.create_user(name=f"{name}-{role}", password=password, domain_id=domain.id)
    admin.identity.assign_project_role_to_user(project, user, admin.identity.find_role(role, ignore_missing=False))
    login = dict(auth_url=admin.config.auth["auth_url"], username=user.name, password=password, project_name=name,
                 user_domain_name=domain.name, project_domain_name=domain.name)
    openstack.connection.Connection(auth=login, region_name=admin.config.region_name).compute.create_keypair(name=keypair)
    accounts.append({"username": user.name, "password": password, "project_name": name, "domain_name": domain.name, "roles": [role]})
with open(file, "w") as out:
    yaml.safe_dump(accounts, out)
