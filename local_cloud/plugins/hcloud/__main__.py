"""Start the double: `python -m local_cloud.plugins.hcloud [flags] <engine address>`."""

from local_cloud.plugins.hcloud.hcloud_provider import HcloudProvider
from local_cloud.plugins.provider import serve

if __name__ == "__main__":
    serve(HcloudProvider())
