namespace Shop.Testing;

/// <summary>Where a shop keeps its data.</summary>
internal enum Engine
{
    /// <summary>In files of its own.</summary>
    Sqlite,

    /// <summary>In PostgreSQL.</summary>
    Postgres,
}

/// <summary>Tests that hold on each engine: shops that they start are on the fixture's.</summary>
internal abstract class EngineFixture(Engine engine)
{
    /// <summary>The engine of the fixture that is running.</summary>
    public static Engine Current { get; private set; }

    /// <summary>Chooses the engine; without a PostgreSQL the tests are skipped.</summary>
    [OneTimeSetUp]
    public void ChooseEngine()
    {
        if (engine == Engine.Postgres) _ = PostgresCluster.Shared;
        Current = engine;
    }

    /// <summary>The other fixtures run on the default.</summary>
    [OneTimeTearDown]
    public void ForgetEngine() => Current = default;
}
