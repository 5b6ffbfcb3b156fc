namespace Shop.Platform.Data.Postgres;

/// <summary>A constant bound for the rows of a list, so that PostgreSQL keeps the list's plan.</summary>
public static class ListPlan
{
    /// <summary>
    /// The <c>LIMIT</c> of a subquery whose rows the list itself limits by a parameter; never less than the parameter.
    /// When PostgreSQL decides whether to keep a plan, it takes a limit that is a parameter for a tenth of the rows
    /// below it. A tenth of a large table looks so dear that it plans each list anew, which takes longer than to read
    /// it. A tenth of this bound is less than a page.
    /// </summary>
    public static string AtLeast(long rows) => rows switch
    {
        <= 11 => "11",
        <= 101 => "101",
        _ => "1001",
    };
}
