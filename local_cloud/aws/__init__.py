"""EC2 of the embedded cloud: moto's emulation, mended where a cluster meets what moto leaves out.

ec2.py: one call. responses.py: what is mended. images.py: Debian's images. instances.py: what others read of instances.
moto is imported only where EC2 is asked for (`up --aws`): it takes a second and some 130 MB. Its state is in memory and
ends with the process, unlike that of the other APIs.
"""
