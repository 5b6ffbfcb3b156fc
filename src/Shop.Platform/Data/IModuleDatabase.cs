namespace Shop.Platform.Data;

/// <summary>A module's database on either engine, as the platform uses it.</summary>
internal interface IModuleDatabase
{
    /// <summary>Its name in messages to the operator.</summary>
    string Name { get; }

    /// <summary>Writes that are neither durable nor refused.</summary>
    int UnwrittenWrites { get; }

    /// <summary>Deletes old idempotency keys.</summary>
    Task MaintainAsync(DateTime now);
}
