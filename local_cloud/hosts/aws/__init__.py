"""Hosts of EC2's instances: what differs from Hetzner's servers.

instances.py: which of them should run. vpcs.py: their networks. rules.py: security groups and addresses, as rulesets of
a VPC's router. metadata.py: the metadata service. All read the documents of local_cloud/aws/instances.py.
"""
