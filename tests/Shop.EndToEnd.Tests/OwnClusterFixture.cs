namespace Shop.EndToEnd.Tests;

/// <summary>Tests on a PostgreSQL of their own, which they break or set up. Each test has a database.</summary>
internal abstract class OwnClusterFixture
{
    protected PostgresCluster Cluster { get; private set; } = null!;

    /// <summary>The connection string of the test's database.</summary>
    protected string Address { get; private set; } = null!;

    /// <summary>A folder for files.</summary>
    protected string Folder { get; private set; } = null!;

    [OneTimeSetUp]
    public void StartCluster()
    {
        Folder = Directory.CreateTempSubdirectory("shop-cluster-").FullName;
        Cluster = Start();
    }

    [OneTimeTearDown]
    public void StopCluster()
    {
        Cluster.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    [SetUp]
    public void CreateDatabase() => Address = Cluster.CreateDatabase();

    protected abstract PostgresCluster Start();
}
