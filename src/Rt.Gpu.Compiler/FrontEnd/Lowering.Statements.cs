// Statements.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.FrontEnd;

internal sealed partial class Lowering
{
    private void LowerAll(IEnumerable<IOperation> operations)
    {
        foreach (var operation in operations)
        {
            LowerStatement(operation);
        }
    }

    private void LowerStatement(IOperation operation)
    {
        if (!_environment.IsLive)
        {
            return;
        }

        var frame = _frame;
        var block = _builder.Current;
        try
        {
            LowerStatementCore(operation);
        }
        catch (KernelException exception) when (operation is not IBlockOperation && operation is not ILoopOperation && frame.Caller is null)
        {
            // Go on behind the statement, to report what else is wrong.
            _errors.Add(exception);
            _frame = frame;
            _builder.AbandonTo(block);
            _environment.Resume();
        }
        catch (AlreadyReportedException) when (_errors.Count > 0 && operation is not IBlockOperation && frame.Caller is null)
        {
            _frame = frame;
            _builder.AbandonTo(block);
            _environment.Resume();
        }
    }

    private void LowerStatementCore(IOperation operation)
    {
        if (operation is not (IBlockOperation or ILoopOperation or ILocalFunctionOperation or IConditionalOperation or IVariableDeclarationGroupOperation))
        {
            SetLocation(operation);
        }

        switch (operation)
        {
            case IBlockOperation block:
                LowerAll(block.Operations);
                break;
            case IExpressionStatementOperation statement:
                LowerDiscarded(statement.Operation);
                break;
            case IVariableDeclarationGroupOperation group:
                foreach (var declarator in group.Declarations.SelectMany(declaration => declaration.Declarators))
                {
                    LowerDeclarator(declarator);
                }

                break;
            case IConditionalOperation conditional:
                SetLocation(conditional.Condition);
                var condition = LowerValue(conditional.Condition);
                if (conditional.WhenFalse is { } otherwise && AlwaysLeaves(otherwise) && !AlwaysLeaves(conditional.WhenTrue))
                {
                    LowerIf(_builder.Not1(condition), () => LowerStatement(otherwise), () => LowerStatement(conditional.WhenTrue));
                    break;
                }

                LowerIf(
                    condition, () => LowerStatement(conditional.WhenTrue),
                    conditional.WhenFalse is null ? null : () => LowerStatement(conditional.WhenFalse));
                break;
            case IForLoopOperation loop:
                LowerForLoop(loop);
                break;
            case IWhileLoopOperation loop:
                LowerWhileLoop(loop);
                break;
            case ISwitchOperation choice:
                LowerSwitch(choice);
                break;
            case IBranchOperation branch:
                LowerBranch(branch);
                break;
            case IReturnOperation { Kind: OperationKind.Return } statement:
                LowerReturn(statement);
                break;
            case IEmptyOperation or ILocalFunctionOperation:
                break;
            case ILabeledOperation { Operation: null }:
                break;
            case IInvalidOperation:
                throw new AlreadyReportedException();
            case IForEachLoopOperation:
                throw Forbidden(operation, "foreach");
            case ITryOperation:
                throw Forbidden(operation, "try");
            case IThrowOperation:
                throw Forbidden(operation, "throw");
            case IUsingOperation or IUsingDeclarationOperation:
                throw Forbidden(operation, "using");
            case ILockOperation:
                throw Forbidden(operation, "lock");
            case IReturnOperation:
                throw Forbidden(operation, "yield");
            default:
                LowerDiscarded(operation);
                break;
        }
    }

    private static KernelException Forbidden(IOperation operation, string name) =>
        new(Diagnostics.ControlFlow, operation.Syntax.GetLocation(), name);

    private void LowerDeclarator(IVariableDeclaratorOperation declarator)
    {
        SetLocation(declarator);
        var symbol = declarator.Symbol;
        var initializer = declarator.GetVariableInitializer()?.Value;
        if (symbol.IsRef)
        {
            _frame.Variables[symbol] = LowerPlace(initializer!);
            return;
        }

        Declare(symbol, Substitute(symbol.Type), initializer is null ? null : Lower(initializer));
    }

    private CellPlace Declare(ISymbol symbol, ITypeSymbol type, Datum? value)
    {
        var cell = NewCell(type, PathOf(_frame.Path, symbol));
        var place = new CellPlace(cell);
        _frame.Variables[symbol] = place;
        if (value is not null)
        {
            WriteCell(cell, value);
        }

        return place;
    }

    private void LowerBranch(IBranchOperation branch)
    {
        if (branch.BranchKind == BranchKind.GoTo)
        {
            throw Forbidden(branch, "goto");
        }

        foreach (var (loop, exit, next) in _frame.Loops)
        {
            switch (loop)
            {
                case ILoopOperation operation when SymbolEqualityComparer.Default.Equals(operation.ContinueLabel, branch.Target):
                    _environment.JumpTo(next);
                    return;
                case ILoopOperation operation when SymbolEqualityComparer.Default.Equals(operation.ExitLabel, branch.Target):
                case ISwitchOperation choice when SymbolEqualityComparer.Default.Equals(choice.ExitLabel, branch.Target):
                    _environment.JumpTo(exit);
                    return;
            }
        }

        throw new AlreadyReportedException();
    }

    private void LowerReturn(IReturnOperation statement)
    {
        if (statement.ReturnedValue is { } value)
        {
            if (_frame.Method.ReturnsByRef || _frame.Method.ReturnsByRefReadonly)
            {
                _frame.ResultPlace = LowerPlace(value);
            }
            else if (_frame.Result is { } cell)
            {
                WriteCell(cell, Lower(value));
            }
            else
            {
                LowerDiscarded(value);
            }
        }

        if (_frame.ReturnRegion is { } region)
        {
            _environment.JumpTo(region);
        }
    }

    private void LowerSwitch(ISwitchOperation choice)
    {
        var subject = Lower(choice.Value);
        LowerScope(exit =>
        {
            _frame.Loops.Push((choice, exit, exit));
            LowerCases(choice, subject, 0);
            _frame.Loops.Pop();
        });
    }

    private void LowerCases(ISwitchOperation choice, Datum subject, int index)
    {
        if (index == choice.Cases.Length)
        {
            if (choice.Cases.FirstOrDefault(section => section.Clauses.Any(clause => clause is IDefaultCaseClauseOperation)) is { } otherwise)
            {
                LowerAll(otherwise.Body);
            }

            return;
        }

        var section = choice.Cases[index];
        var condition = _builder.Bool(false);
        foreach (var clause in section.Clauses)
        {
            switch (clause)
            {
                case ISingleValueCaseClauseOperation single:
                    condition = _builder.Or1(condition, EqualTo(subject, Lower(single.Value)));
                    break;
                case IPatternCaseClauseOperation { Guard: null } pattern:
                    condition = _builder.Or1(condition, Matches(subject, pattern.Pattern));
                    break;
                case IDefaultCaseClauseOperation:
                    break;
                default:
                    throw new KernelException(Diagnostics.NotSupported, clause.Syntax.GetLocation(), "A guarded case", "use if statements");
            }
        }

        LowerIf(
            condition,
            () =>
            {
                if (section.Clauses.Any(clause => clause is IDefaultCaseClauseOperation))
                {
                    LowerCases(choice, subject, choice.Cases.Length);
                }
                else
                {
                    LowerAll(section.Body);
                }
            },
            () => LowerCases(choice, subject, index + 1));
    }

    // Whether a statement surely ends in a jump.
    private static bool AlwaysLeaves(IOperation statement) => statement switch
    {
        IBranchOperation or IReturnOperation => true,
        IBlockOperation { Operations: [.., var last] } => AlwaysLeaves(last),
        IConditionalOperation { WhenFalse: { } otherwise } conditional => AlwaysLeaves(conditional.WhenTrue) && AlwaysLeaves(otherwise),
        _ => false,
    };
}
