"""Start the double: `python -m local_cloud.plugins.aws [flags] <engine address>`."""

from local_cloud.plugins.aws.aws_provider import AwsProvider
from local_cloud.plugins.provider import serve

if __name__ == "__main__":
    serve(AwsProvider())
