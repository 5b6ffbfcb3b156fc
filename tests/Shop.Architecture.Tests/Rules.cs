using System.Text.RegularExpressions;
using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Shop.Architecture.Tests;

/// <summary>
/// The rules of the house. Each answers with the types that break it, for the shop itself and for the samples alike.
/// </summary>
internal sealed partial class Rules(
    ArchUnitNET.Domain.Architecture architecture, IReadOnlyCollection<AssemblyDefinition> assemblies, string root)
{
    private static readonly string[] Modules = ["Products", "Orders", "Inventory"];

    /// <summary>Who may call whom, through contracts.</summary>
    private static readonly (string From, string To)[] Allowed =
    [
        ("Orders", "Products"), ("Orders", "Inventory"), ("Products", "Inventory"),
    ];

    /// <summary>A module knows of another what its contracts show, and nothing else.</summary>
    public IEnumerable<string> TouchAnothersInside() =>
        from pair in Dependencies()
        where !pair.Target.StartsWith($"{root}.{ModuleOf(pair.Target)}.Contracts.", StringComparison.Ordinal)
        select pair.Origin;

    /// <summary>
    /// Dependencies point one way: Orders to Products and Inventory, Products to Inventory, Inventory to nobody.
    /// </summary>
    public IEnumerable<string> PointTheWrongWay() =>
        from pair in Dependencies()
        where !Allowed.Contains((ModuleOf(pair.Origin)!, ModuleOf(pair.Target)!))
        select pair.Origin;

    /// <summary>A module shows its contracts and its entry class; all else is internal.</summary>
    public IEnumerable<string> AreShownToTheWorld() =>
        from type in Types()
        where type.IsPublic && ModuleOf(type.FullName) is { } module
            && type.FullName != $"{root}.{module}.{module}Module" && type.Namespace != $"{root}.{module}.Contracts"
        select type.FullName;

    /// <summary>SQL stands in the stores of the modules alone.</summary>
    public IEnumerable<string> SpeakSqlOutsideAStore() =>
        from type in Types()
        where ModuleOf(type.FullName) is not null && !IsStorage(type)
        where Instructions(type)
            .Any(instruction => instruction.OpCode == OpCodes.Ldstr && Sql().IsMatch((string)instruction.Operand))
        select Outermost(type).FullName;

    /// <summary>Types of an engine, or of what speaks to it, stand in the storage of that engine alone.</summary>
    public IEnumerable<string> KnowAnEngine() =>
        from type in Types()
        where !IsStorage(type)
        where References(type).Any(name => Engine().IsMatch(name))
        select Outermost(type).FullName;

    /// <summary>The storage of an engine knows nothing of the other engine.</summary>
    public IEnumerable<string> KnowTheOtherEngine() =>
        from type in Types()
        where IsStorage(type)
        let other = Outermost(type).Namespace.EndsWith(".Sqlite", StringComparison.Ordinal) ? OfPostgres() : OfSqlite()
        where References(type).Any(name => other.IsMatch(name))
        select Outermost(type).FullName;

    /// <summary>The platform knows no module: neither its types nor its routes, fields and items.</summary>
    public IEnumerable<string> KnowAModuleFromThePlatform() =>
        from type in Types()
        where type.FullName.StartsWith($"{root}.Platform.", StringComparison.Ordinal)
        where References(type).Any(name => ModuleOf(name) is not null)
            || Instructions(type).Any(instruction =>
                instruction.OpCode == OpCodes.Ldstr && WordOfAModule().IsMatch((string)instruction.Operand))
        select Outermost(type).FullName;

    /// <summary>
    /// Dapper's calls are compiled with the program: Dapper itself would make code at run time,
    /// which a native program can't.
    /// </summary>
    public IEnumerable<string> MakeCodeAtRunTime() =>
        from type in Types()
        where Instructions(type)
            .Any(instruction => instruction.Operand is MethodReference { DeclaringType.FullName: "Dapper.SqlMapper" })
        select Outermost(type).FullName;

    /// <summary>Metrics are declared in metrics files alone.</summary>
    public IEnumerable<string> DeclareMetricsElsewhere() =>
        from type in Types()
        where !Outermost(type).Name.EndsWith("Metrics", StringComparison.Ordinal)
        where Instructions(type)
            .Any(instruction => instruction.Operand is MethodReference { DeclaringType.Namespace: "Prometheus" } method
                && Declaration().IsMatch(method.Name))
        select Outermost(type).FullName;

    /// <summary>
    /// What clients see tells time by <c>UtcTime</c>: the serializer's own text has as many decimals as
    /// it needs, which does not sort.
    /// </summary>
    public IEnumerable<string> TellTimeTheirOwnWay() =>
        from type in Types()
        where type.Name.EndsWith("Body", StringComparison.Ordinal)
        where type.Fields.Any(field => Time().IsMatch(field.FieldType.FullName))
        select type.FullName;

    private IEnumerable<(string Origin, string Target)> Dependencies() =>
        from type in architecture.Types
        from dependency in type.Dependencies
        let origin = ModuleOf(type.FullName)
        let target = ModuleOf(dependency.Target.FullName)
        where origin is not null && target is not null && origin != target
        select (type.FullName, dependency.Target.FullName);

    private IEnumerable<TypeDefinition> Types() =>
        assemblies.SelectMany(assembly => assembly.MainModule.GetTypes())
            .Where(type => type.FullName.StartsWith(root + ".", StringComparison.Ordinal));

    private string? ModuleOf(string type) =>
        Modules.FirstOrDefault(module => type.StartsWith($"{root}.{module}.", StringComparison.Ordinal));

    // The stores of Orders are about to move into its storage.
    private static bool IsStorage(TypeDefinition type) => Storage().IsMatch(Outermost(type).Namespace)
        || Outermost(type).FullName
            is "Shop.Orders.OrderStore" or "Shop.Orders.OrderConsistencyCheck" or "Shop.Orders.ProductSnapshotStore";

    /// <summary>Every type that a type names: in its head, its members and the code of its methods.</summary>
    private static IEnumerable<string> References(TypeDefinition type)
    {
        IEnumerable<TypeReference?> head =
        [
            type.BaseType, .. type.Interfaces.Select(implemented => implemented.InterfaceType),
        ];
        IEnumerable<TypeReference?> members = type.Fields.Select(field => field.FieldType)
            .Concat(type.Methods.SelectMany(
                method => method.Parameters.Select(parameter => parameter.ParameterType).Append(method.ReturnType)));
        IEnumerable<TypeReference?> code = type.Methods.Where(method => method.HasBody).SelectMany(method =>
            method.Body.Variables.Select(variable => variable.VariableType)
                .Concat(method.Body.ExceptionHandlers.Select(handler => handler.CatchType)))
            .Concat(Instructions(type).Select(instruction => instruction.Operand switch
            {
                TypeReference named => named,
                MemberReference member => member.DeclaringType,
                _ => null,
            }));
        return head.Concat(members).Concat(code).OfType<TypeReference>().Select(named => named.FullName);
    }

    private static TypeDefinition Outermost(TypeDefinition type) =>
        type.DeclaringType is null ? type : Outermost(type.DeclaringType);

    private static IEnumerable<Instruction> Instructions(TypeDefinition type) =>
        type.Methods.Where(method => method.HasBody).SelectMany(method => method.Body.Instructions);

    [GeneratedRegex(
        @"\b(SELECT\s.+\sFROM|INSERT\s+INTO|DELETE\s+FROM|UPDATE\s+\w+\s+SET|CREATE\s+(TABLE|INDEX)|PRAGMA)\b",
        RegexOptions.Singleline | RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Sql();

    [GeneratedRegex(@"\.(Data|Storage)\.(Sqlite|Postgres)$", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Storage();

    [GeneratedRegex(@"\b(Microsoft\.Data\.Sqlite|SQLitePCL|Dapper|Npgsql)\.", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Engine();

    [GeneratedRegex(@"\.(Data|Storage)\.Sqlite\b|\b(Microsoft\.Data\.Sqlite|SQLitePCL)\.",
        RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex OfSqlite();

    [GeneratedRegex(@"\.(Data|Storage)\.Postgres\b|\bNpgsql\.", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex OfPostgres();

    [GeneratedRegex(
        @"\bprod_\d|\border_id\b|\bproduct_id\b|/(orders|products|inventory)\b|^(orders|products|inventory)$",
        RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex WordOfAModule();

    [GeneratedRegex(@"\bSystem\.DateTime(Offset)?\b", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Time();

    [GeneratedRegex("^Create(Counter|Gauge|Histogram|Summary)$", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Declaration();
}
