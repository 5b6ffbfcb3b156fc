using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Shop.Platform.Http;

namespace Shop.Platform.Requests;

/// <summary>
/// The query of a request. A parameter that is unknown, given twice or wrong is an error, never ignored.
/// </summary>
public sealed class Query
{
    /// <summary>
    /// The most unknown parameters that are listed: an answer must not be many times larger than its request.
    /// </summary>
    private const int MaxUnknown = 16;

    private readonly IQueryCollection _values;

    private Query(IQueryCollection values) => _values = values;

    /// <summary>What is wrong with it.</summary>
    public ValidationErrors Errors { get; } = new();

    /// <summary>The answer to a query that is wrong; null if nothing is wrong so far.</summary>
    public Problem? Error => Errors.Any ? Problem.Invalid(Errors) : null;

    /// <summary>Reads the query of a request to a route with these parameters and no others.</summary>
    public static Query Of(HttpContext http, IReadOnlyList<Field> known)
    {
        var query = new Query(http.Request.Query);
        int unknown = 0;
        foreach ((string name, StringValues values) in query._values)
        {
            if (known.Any(field => field.Name == name))
            {
                if (values.Count > 1) query.Errors.Add(name, "is given more than once");
            }
            else if (++unknown > MaxUnknown)
            {
                query.Errors.AddUnlisted();
            }
            else
            {
                string[] names = [.. known.Select(field => field.Name)];
                query.Errors.Add(name, names.Length == 0
                    ? "is not a parameter of this route, which takes none"
                    : "is not a parameter of this route; "
                        + $"it takes {string.Join(", ", names)}{NameSuggestion.DidYouMean(name, names)}");
            }
        }

        return query;
    }

    /// <summary>Reads a parameter. If it is missing or wrong, the value is the field's default.</summary>
    public T? Read<T>(Field<T> field)
    {
        StringValues values = _values[field.Name];
        if (values.Count != 1) return field.Default;
        if (field.Read(values[0] ?? "", out T? value) is not { } error) return value;
        Errors.Add(field.Name, error);
        return field.Default;
    }
}
