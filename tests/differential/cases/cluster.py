"""ApiVersions and DescribeCluster."""

from script import Ask, Case


def api_versions(name="test", version="1.0"):
    """What a client says of itself."""
    return Ask("ApiVersions", {"client_software_name": name, "client_software_version": version})


def describe_cluster(**fields):
    """DescribeCluster with or without what one may do."""
    return Ask("DescribeCluster", fields)


CASES = [
    Case("ApiVersions", "a client", api_versions()),
    Case("ApiVersions", "software without a name", api_versions(name=""), api_versions(version="")),
    Case("ApiVersions", "software with bad names", api_versions(name="a b"), api_versions(name="-a"), api_versions(name="a-"),
         api_versions(version="1/0"), api_versions(name="a.b-c", version="1.0-rc.1"), api_versions(name="x" * 300)),
    Case("ApiVersions", "null for a name", api_versions(name=None), versions=range(3, 99)),
    Case("DescribeCluster", "the brokers", describe_cluster()),
    Case("DescribeCluster", "what one may do", describe_cluster(include_cluster_authorized_operations=True)),
    Case("DescribeCluster", "kinds of endpoints", describe_cluster(endpoint_type=2), describe_cluster(endpoint_type=0),
         describe_cluster(endpoint_type=3), describe_cluster(endpoint_type=-1), versions=range(1, 99)),
    Case("DescribeCluster", "brokers that are fenced", describe_cluster(include_fenced_brokers=True), versions=range(2, 99)),
]
