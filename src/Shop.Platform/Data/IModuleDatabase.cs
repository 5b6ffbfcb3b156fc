namespace Shop.Platform.Data;

/// <summary>A module's database on either engine, as the platform uses it.</summary>
internal interface IModuleDatabase
{
    /// <summary>What it is called in messages to who runs the shop.</summary>
    string Name { get; }

    /// <summary>Writes that are neither durable nor refused.</summary>
    int UnwrittenWrites { get; }

    /// <summary>Deletes what is no longer needed of the platform's own: old idempotency keys.</summary>
    Task MaintainAsync(DateTime now);
}
