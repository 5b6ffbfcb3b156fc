namespace Shop.Platform.Data.Postgres;

/// <summary>How a list says how long it is, so that PostgreSQL keeps its plan.</summary>
public static class ListPlan
{
    /// <summary>
    /// A <c>LIMIT</c> for the rows of a list that ends at a parameter: at least as many. A limit that is a parameter
    /// counts as a tenth of all rows when PostgreSQL decides whether to keep a plan, so it would plan each list of a
    /// large table anew, which takes longer than to read it. A tenth of this is less than a page.
    /// </summary>
    public static string AtLeast(long rows) => rows switch
    {
        <= 11 => "11",
        <= 101 => "101",
        _ => "1001",
    };
}
